# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Our features as RTAB-Map takes them; the only file that knows rtabmap_msgs, and works without that package.

With ``subscribe_rgbd`` RTAB-Map reads images, calibrations and features from one rtabmap_msgs/RGBDImage,
and uses the features for its loop closures instead of its own (``Mem/UseOdomFeatures``, on by default).
"""

from __future__ import annotations

import importlib
import struct
import zlib
from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Features, Float32, Metric, UInt8
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.calibration import Calibration
from hybrid_features_ros.nodes.managed import OVERRIDABLE, ManagedNode

CV_8U, CV_32F = 0, 5  # OpenCV's numbers of one-channel matrices
UNKNOWN_ANGLE = -1.0  # of cv::KeyPoint


class RtabmapOutput:
    """Publishes ``rgbd_image`` (rtabmap_msgs/RGBDImage) while somebody listens, if the package is there."""

    def __init__(self, node: ManagedNode) -> None:
        given = node.config.input
        self.calibrations: list[Calibration] = []  # of the image and, in a pair, of its partner
        self._publisher: Any = None
        try:
            self._types = importlib.import_module("rtabmap_msgs.msg")
        except ImportError:
            return
        if given.depth or given.stereo:
            self._publisher = node.create_lifecycle_publisher(
                self._types.RGBDImage, "rgbd_image", 5, qos_overriding_options=OVERRIDABLE
            )
            topics = ("left/camera_info", "right/camera_info") if given.stereo else ("camera_info",)
            self.calibrations = [Calibration(node, topic) for topic in topics]

    @property
    def wanted(self) -> bool:
        """Whether somebody listens."""
        return self._publisher is not None and self._publisher.get_subscription_count() > 0

    def publish(self, image: Image | CompressedImage, partner: Any, features: Features) -> None:
        """Publish an image, its depth or its right partner, and its features.

        Raises:
            InputError: a calibration has not come yet, or is none.
        """
        infos = [calibration.get() for calibration in self.calibrations]
        camera = self.calibrations[0].camera(features.rectified)
        msg = self._types.RGBDImage(
            header=image.header, rgb_camera_info=infos[0], depth_camera_info=infos[-1]
        )
        _put(msg, "rgb", image)
        _put(msg, "depth", partner)
        fill(msg, self._types, features, camera)
        self._publisher.publish(msg)


def fill(msg: Any, types: Any, features: Features, camera: Camera) -> None:
    """Set the fields ``key_points`` (as cv::KeyPoint: diameters, degrees), ``points`` and ``descriptors``.

    Args:
        msg: an RGBDImage or another message of rtabmap_msgs with these fields.
        types: the module rtabmap_msgs.msg.
        features: of the image.
        camera: its calibration.
    """
    degrees = np.nan_to_num(np.mod(np.degrees(features.angles), 360), nan=UNKNOWN_ANGLE)
    columns = (features.points, 2 * features.scales, degrees, features.scores)
    msg.key_points = [
        types.KeyPoint(pt=types.Point2f(x=x, y=y), size=size, angle=angle, response=score, class_id=-1)
        for (x, y), size, angle, score in zip(*(c.tolist() for c in columns), strict=True)
    ]
    if features.depths is not None:
        msg.points = [types.Point3f(x=x, y=y, z=z) for x, y, z in _points(features, camera).tolist()]
    msg.descriptors = conversions.packed("B", _compressed(_descriptors(features)))


def _points(features: Features, camera: Camera) -> Float32:
    """(N, 3) [m] in the camera's optical axes; NaN, as RTAB-Map has it, where the depth is unknown."""
    assert features.depths is not None
    known = np.isfinite(features.depths) & (features.depths > 0)
    depths = np.where(known, features.depths, np.float32(np.nan))[:, None]
    rays = np.concatenate([camera.normalise(features.points), np.ones((len(features), 1))], axis=1)
    return np.asarray(rays * depths, dtype=np.float32)


def _descriptors(features: Features) -> Float32 | UInt8:
    """RTAB-Map compares bytes by Hamming distance and floats by Euclidean distance."""
    f, raw = features.format, features.descriptors
    if raw.dtype != np.uint8 or f.metric is Metric.HAMMING:
        return raw
    return np.asarray(f.quantisation_scale * raw + f.quantisation_offset, dtype=np.float32)


def _compressed(matrix: Float32 | UInt8) -> UInt8:
    """What rtabmap::uncompressData reads: a zlib stream, then rows, columns and OpenCV's type as int32."""
    if not matrix.size:
        return np.zeros(0, np.uint8)
    kind = CV_8U if matrix.dtype == np.uint8 else CV_32F
    stream = zlib.compress(np.ascontiguousarray(matrix).data, 1) + struct.pack("=3i", *matrix.shape, kind)
    return np.frombuffer(stream, np.uint8)


def _put(msg: Any, field: str, image: Image | CompressedImage) -> None:
    """Set ``rgb`` or ``depth``, or its compressed sibling."""
    if isinstance(image, Image):
        setattr(msg, field, image)
    else:  # whatever the picture's own format: RTAB-Map decodes others than "jpg" as depth
        setattr(
            msg, f"{field}_compressed", CompressedImage(header=image.header, format="jpg", data=image.data)
        )
