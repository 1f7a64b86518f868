"""Repeats, verdicts, the ledger and the next round."""
