"""From a design file to the trials that answer it: linter, budget, search algorithms."""
