"""Parts for PyTorch training code; nothing in tunebook imports it."""
