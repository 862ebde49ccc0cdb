"""Recordings, datasets and trajectories: what is read and written."""
