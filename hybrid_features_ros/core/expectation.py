# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the odometry expects of the next image."""

from __future__ import annotations

from dataclasses import dataclass

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Float64


@dataclass(frozen=True, eq=False)
class Expectation:
    """What the odometry tells whoever follows keypoints from image to image.

    Attributes:
        camera: that takes the images.
        R_before_now: (3, 3) predicted rotation of the camera between two images.
        detect: new keypoints are asked for: the image is to be a keyframe, or the camera is not found.
    """

    camera: Camera
    R_before_now: Float64
    detect: bool = False
