"""A recording through extractor and odometry, and its errors against the truth."""
