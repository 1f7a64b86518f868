"""Runs made elsewhere, into the store."""
