"""What `hybrid-features bench` measures, beside baselines in the same run."""
