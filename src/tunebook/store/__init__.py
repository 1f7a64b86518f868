"""What is remembered: rounds, trials, leases, curves and launches, on SQLite or PostgreSQL."""
