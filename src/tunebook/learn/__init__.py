"""The checks: one family of findings a file, over Evidence."""
