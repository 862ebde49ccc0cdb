"""Estimators without state: arrays in, a motion with its covariance out."""
