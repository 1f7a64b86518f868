"""Rules of thumb for a design, one family a file; each rule takes a design and yields findings (R3, S4)."""
