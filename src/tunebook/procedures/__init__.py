"""Guided procedures: batch size, steps, stability, warmup, clipping, scaling; each designs rounds and concludes."""
