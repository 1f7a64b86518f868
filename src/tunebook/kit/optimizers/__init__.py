"""The optimizers of the playbook, one class each, with its own update rules (P2)."""
