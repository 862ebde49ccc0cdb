# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What `hybrid-features bench` measures, beside baselines in the same run."""

YARDSTICKS = ("sift", "sift_precise", "orb", "akaze")
"""OpenCV's features that ours are measured against."""

POSE_BUDGET = 1000  # keypoints of an image, the best, where camera motion is measured
