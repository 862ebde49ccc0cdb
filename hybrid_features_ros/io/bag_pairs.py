# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two image topics of a bag become a rectified pair: as they are, by their camera_info, or by a file."""

from __future__ import annotations

from dataclasses import replace

from hybrid_features_ros.core.camera import Distortion
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.bag_source import BagSource
from hybrid_features_ros.io.bag_topics import ImageTopic
from hybrid_features_ros.io.calibration import Calibration, CameraInfo, between
from hybrid_features_ros.io.rectified import RectifiedSource, rectify
from hybrid_features_ros.io.source import Choice, Source


def pair_of_topics(
    left: BagSource, right: BagSource, info: CameraInfo, topic: ImageTopic, choice: Choice
) -> Source:
    """By the calibrations in the bag; raw images are rectified where the pair is asked for.

    Args:
        left, right: of the images, the right ones under the stamps of the left ones.
        info: of the left images.
        topic: of the right images.
        choice: whether the pair, or its right camera, was asked for, and whether it is rectified.

    Raises:
        InputError: the right camera has no calibration, or one without a baseline.
    """
    other = topic.info
    if other is None:
        raise InputError(
            f"{left.path}: no calibration of the right camera on {topic.name}; record its camera_info, or "
            "give --calib FILE: a calib.json with baseline_m of a rectified pair, or Kalibr's chain"
        )
    is_rectified = topic.is_rectified if choice.rectified is None else choice.rectified
    right = replace(right, camera=other.camera(is_rectified))
    has_lens = {left.camera.distortion, right.camera.distortion} != {Distortion.NONE}
    if not ((choice.stereo or choice.right) and has_lens and not is_rectified and any(info.p)):
        return replace(left, right=right, baseline=other.baseline)
    left.notes.assumed["right"] = "the pair is rectified here, by R and P of its camera_info"
    turned = RectifiedSource(right, other.camera(True), other.R_rectified_camera)
    return RectifiedSource(left, info.camera(True), info.R_rectified_camera, turned, other.baseline)


def pair_of_file(left: BagSource, right: BagSource, own: Calibration, other: Calibration) -> Source:
    """A rectified pair of one calibration, or two cameras of a chain, which are rectified.

    Args:
        left, right: of the images.
        own, other: what the file says of the left and of the right camera.

    Raises:
        InputError: the file does not tell where the right camera is.
    """
    if own.baseline_m > 0:
        return replace(left, right=right, baseline=own.baseline_m)
    T_left_right = between(own, other)
    if T_left_right is None:
        raise InputError(
            f"{left.path}: the file of --calib does not tell where the right camera is: baseline_m of a "
            "rectified pair, or T_cam_imu or T_cn_cnm1 of both cameras"
        )
    return rectify(left, replace(right, camera=other.info.camera()), T_left_right)
