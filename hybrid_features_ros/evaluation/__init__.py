"""Sequences, bags, trajectories and their errors: everything that measures, nothing that runs on a robot."""
