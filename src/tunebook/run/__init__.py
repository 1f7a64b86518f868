"""Carrying a round out: workers, processes, retries and provenance."""
