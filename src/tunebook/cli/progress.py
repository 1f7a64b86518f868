"""Live progress of a round: a small live table on a terminal, plain lines elsewhere."""
