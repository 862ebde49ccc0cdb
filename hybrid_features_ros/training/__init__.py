"""Learning the features; imported by nobody else."""
