# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two photographs of one thing: which points are the same, and the homography between the images.

python3 examples/match_two_images.py A.jpg B.jpg
"""

import sys
from pathlib import Path

import cv2

from hybrid_features_ros.features.hybrid import HybridExtractor
from hybrid_features_ros.io.images import read_image
from hybrid_features_ros.matching.pair import match_images

a, b = (read_image(Path(name)) for name in sys.argv[1:3])
extractor = HybridExtractor.from_pretrained()

pair = match_images(extractor, a, b)
H, inliers = cv2.findHomography(pair.points_a, pair.points_b, cv2.USAC_MAGSAC, 3.0)

print(f"{len(pair)} matches, {0 if H is None else int(inliers.sum())} agree with one homography:")
print(H)
