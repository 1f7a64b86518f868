"""The guided procedures: batch size, steps, stability, warmup, clipping, scaling."""
