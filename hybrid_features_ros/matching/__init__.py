"""Descriptors to correspondences."""
