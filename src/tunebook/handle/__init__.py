"""What training code holds: the trial, its metrics and its checkpoints. Standard library only."""
