# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The only file that knows both worlds: core values on one side, ROS messages on the other.

Flat message arrays are filled from ``array.array``: rclpy takes those without looking at every element,
and reads come back as views of the message's own memory.
"""

from __future__ import annotations

import array
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from cv_bridge import CvBridge, CvBridgeError
from geometry_msgs.msg import Pose, PoseStamped, Transform
from nav_msgs.msg import Odometry as OdometryMsg
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from tf_transformations import quaternion_from_matrix, quaternion_matrix

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import (
    DescriptorFormat,
    Features,
    Float64,
    Metric,
    OdometryResult,
)
from hybrid_features_ros.io import calibration
from hybrid_features_ros.io.images import image_of
from hybrid_features_ros.msg import FeatureArray, FeatureMatches, Keyframe, OdometryStatus, RelativePose

OPTICAL_TO_BODY = se3.make([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], [0, 0, 0])
"""``T_body_optical``: REP-103 axes, x forward, y left, z up, from x right, y down, z forward."""

SAME_FOCAL = 1e-3  # of the focal length: by how much those of a rectified pair may differ

_BRIDGE = CvBridge()
# What cv_bridge turns into grey or BGR, with the bytes of a pixel; all else our own decoder reads.
_BRIDGED = {
    "mono8": 1, "bgr8": 3, "rgb8": 3, "bgra8": 4, "rgba8": 4, "yuv422": 2, "yuv422_yuy2": 2,
    **{f"bayer_{pattern}8": 1 for pattern in ("rggb", "bggr", "gbrg", "grbg")},
}  # fmt: skip


def to_ns(stamp: Time) -> int:
    """Nanoseconds of a stamp."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def to_time(ns: int) -> Time:
    """Stamp of nanoseconds."""
    return Time(sec=ns // 1_000_000_000, nanosec=ns % 1_000_000_000)


def image_from_msg(msg: Image | CompressedImage) -> NDArray[np.uint8]:
    """Pixels (H, W) grey or (H, W, 3) BGR, uint8; what has more bits is scaled from its own range.

    Raises:
        InputError: the encoding is unknown or the data does not fill the image.
    """
    # cv_bridge shears images whose rows are padded by no whole number of pixels.
    pixel = _BRIDGED.get(msg.encoding, 0) if isinstance(msg, Image) else 0
    if pixel and msg.height and 0 < msg.step == msg.width * pixel:
        try:
            desired = "mono8" if msg.encoding == "mono8" else "bgr8"
            return np.asarray(_BRIDGE.imgmsg_to_cv2(msg, desired_encoding=desired), dtype=np.uint8)
        except (CvBridgeError, cv2.error, TypeError, ValueError):
            pass  # what is wrong is told below
    return image_of(msg)


def image_to_msg(image: NDArray[np.uint8], header: Header) -> Image:
    """Image message of BGR pixels (H, W, 3) uint8."""
    # By hand: cv_bridge compares type numbers that OpenCV 5 has changed, and would refuse.
    height, width, channels = image.shape
    return Image(
        header=header, height=height, width=width, encoding="bgr8", step=width * channels,
        data=packed("B", image),
    )  # fmt: skip


def camera_from_msg(msg: CameraInfo, rectified: bool) -> Camera:
    """The calibration of the raw image (K and D), or of the rectified one (P), after its ROI and binning.

    Raises:
        InputError: the camera is not calibrated (K[0] = 0), or the lens model is unknown.
    """
    return calibration.CameraInfo.of(msg).camera(rectified)


def stereo_from_msgs(left: CameraInfo, right: CameraInfo) -> tuple[float, float, tuple[float, float]]:
    """What the calibrations of a rectified pair say: focal length [px], baseline [m], principal point of the
    left image minus that of the right one in x and y [px].

    Raises:
        InputError: there is no baseline, or the two images are not rectified alike.
    """
    baseline = calibration.CameraInfo.of(right).baseline
    a, b = camera_from_msg(left, True), camera_from_msg(right, True)
    if abs(a.fx - b.fx) > SAME_FOCAL * b.fx:
        raise InputError(
            f"left and right camera_info: P has focal lengths {a.fx:g} and {b.fx:g} px: rectify both alike"
        )
    return b.fx, baseline, (a.cx - b.cx, a.cy - b.cy)


def features_to_msg(features: Features, header: Header) -> FeatureArray:
    """A message that owns copies of the arrays."""
    f = features.format
    message = FeatureArray(
        header=header,
        width=features.width,
        height=features.height,
        rectified=features.rectified,
        detector=f.detector,
        descriptor=f.descriptor,
        model_digest=f.model_digest,
        descriptor_dtype=_dtype_code(features),
        descriptor_dim=features.descriptors.shape[1],
        descriptor_metric=int(f.metric),
        quantisation_scale=f.quantisation_scale,
        quantisation_offset=f.quantisation_offset,
    )
    # Assigned, not given to the constructor: that would copy them once more.
    message.x, message.y = _floats(features.points[:, 0]), _floats(features.points[:, 1])
    message.score, message.scale = _floats(features.scores), _floats(features.scales)
    message.angle, message.sigma = _floats(features.angles), _floats(features.sigmas)
    message.depth, message.depth_sigma = _floats(features.depths), _floats(features.depth_sigmas)
    message.track_id = packed("i", features.track_ids)
    message.descriptors = packed("B", features.descriptors)
    return message


def features_from_msg(msg: FeatureArray) -> Features:
    """Read-only views of the message's arrays.

    Raises:
        InputError: array lengths contradict each other, or an enumeration has an unknown value.
    """
    n, dim = len(msg.x), msg.descriptor_dim
    dtype = {FeatureArray.DTYPE_FLOAT32: np.float32, FeatureArray.DTYPE_UINT8: np.uint8}.get(
        msg.descriptor_dtype
    )
    if dtype is None or msg.descriptor_metric not in list(Metric):
        raise InputError(
            f"features: descriptor_dtype {msg.descriptor_dtype} or metric {msg.descriptor_metric} is unknown"
        )
    try:
        return Features(
            points=np.stack([_view(msg.x, np.float32), _view(msg.y, np.float32)], axis=1),
            scores=_view(msg.score, np.float32),
            scales=_view(msg.scale, np.float32),
            angles=_view(msg.angle, np.float32),
            sigmas=_view(msg.sigma, np.float32),
            descriptors=_view(msg.descriptors, dtype).reshape(n, dim),
            format=DescriptorFormat(
                detector=msg.detector,
                descriptor=msg.descriptor,
                metric=Metric(msg.descriptor_metric),
                quantisation_scale=msg.quantisation_scale,
                quantisation_offset=msg.quantisation_offset,
                model_digest=msg.model_digest,
            ),
            width=msg.width,
            height=msg.height,
            rectified=msg.rectified,
            depths=_view(msg.depth, np.float32) if len(msg.depth) else None,
            depth_sigmas=_view(msg.depth_sigma, np.float32) if len(msg.depth_sigma) else None,
            track_ids=_view(msg.track_id, np.int32) if len(msg.track_id) else None,
        )
    except ValueError as error:
        raise InputError(f"features message contradicts itself: {error}") from None


def matches_to_msg(result: OdometryResult, header: Header) -> FeatureMatches:
    """The correspondences of an image with its keyframe."""
    matches = result.matches
    return FeatureMatches(
        header=header,
        stamp_a=to_time(result.reference_stamp),
        stamp_b=to_time(result.stamp),
        index_a=packed("i", matches.index_a),
        index_b=packed("i", matches.index_b),
        score=_floats(matches.scores),
        inlier=packed("B", result.motion.inliers),
        model=int(result.motion.model),
    )


def relative_pose_to_msg(result: OdometryResult, header: Header) -> RelativePose:
    """The motion from the keyframe to the image."""
    motion = result.motion
    return RelativePose(
        header=header,
        stamp_from=to_time(result.reference_stamp),
        stamp_to=to_time(result.stamp),
        transform=to_transform(motion.T_a_b),
        covariance=motion.covariance.ravel(),
        model=int(motion.model),
        scale=int(motion.scale),
        matches=len(result.matches),
        inliers=int(motion.inliers.sum()),
        parallax=motion.parallax,
    )


def keyframe_to_msg(
    result: OdometryResult, features: Features, T_odom_world: Float64, odom: Header, camera: Header
) -> Keyframe:
    """An image that became a keyframe.

    Args:
        result: of the image.
        features: of the image.
        T_odom_world: (4, 4), the first camera's frame in odom.
        odom, camera: headers with the image's stamp and the frames of odometry and camera.
    """
    T_odom_camera = T_odom_world @ result.T_world_camera
    msg = Keyframe(
        header=odom,
        number=result.keyframes,
        reset_counter=result.resets,
        scale=int(result.scale),
        features=features_to_msg(features, camera),
    )
    msg.pose.pose = to_pose(T_odom_camera)
    msg.pose.covariance = se3.to_parent_axes(result.covariance, T_odom_camera).ravel()
    return msg


def status_to_msg(
    result: OdometryResult, header: Header, dropped: int, milliseconds: Mapping[str, float]
) -> OdometryStatus:
    """What the odometry did with the image, and how long each stage took, the extraction among them."""
    return OdometryStatus(
        header=header,
        state=int(result.state),
        scale=int(result.scale),
        model=int(result.motion.model),
        keypoints=result.keypoints,
        matches=len(result.matches),
        inliers=int(result.motion.inliers.sum()),
        keyframes=result.keyframes,
        landmarks=result.landmarks,
        dropped_frames=dropped,
        reset_counter=result.resets,
        stage=list(milliseconds),
        stage_ms=_floats(np.array(list(milliseconds.values()), np.float32)),
        reason=result.reason,
    )


def odometry_to_msg(
    result: OdometryResult, T_base_camera: Float64, T_odom_world: Float64, header: Header, child: str
) -> OdometryMsg:
    """Pose of the base in odom and its velocity in its own axes, both with covariance.

    Args:
        T_base_camera: (4, 4), where the camera sits on the base.
        T_odom_world: (4, 4), the first camera's frame in odom.
        header: with the image's stamp and the frame odom.
        child: the base's frame.
    """
    to_base = se3.adjoint(T_base_camera)
    T_odom_base = T_odom_world @ result.T_world_camera @ se3.inverse(T_base_camera)
    covariance = se3.to_parent_axes(to_base @ result.covariance @ to_base.T, T_odom_base)
    msg = OdometryMsg(header=header, child_frame_id=child)
    msg.pose.pose = to_pose(T_odom_base)
    msg.pose.covariance = covariance.ravel()
    twist = to_base @ result.twist
    linear, angular = msg.twist.twist.linear, msg.twist.twist.angular
    linear.x, linear.y, linear.z = map(float, twist[:3])
    angular.x, angular.y, angular.z = map(float, twist[3:])
    msg.twist.covariance = (to_base @ result.twist_covariance @ to_base.T).ravel()
    return msg


def to_pose(T: Float64) -> Pose:
    """Pose message of a motion (4, 4)."""
    msg = Pose()
    q = quaternion_from_matrix(T)
    msg.orientation.x, msg.orientation.y, msg.orientation.z, msg.orientation.w = map(float, q)
    msg.position.x, msg.position.y, msg.position.z = map(float, T[:3, 3])
    return msg


def to_pose_stamped(msg: OdometryMsg) -> PoseStamped:
    """The pose of an odometry message alone."""
    return PoseStamped(header=msg.header, pose=msg.pose.pose)


def to_transform(T: Float64) -> Transform:
    """Transform message of a motion (4, 4)."""
    msg = Transform()
    q = quaternion_from_matrix(T)
    msg.rotation.x, msg.rotation.y, msg.rotation.z, msg.rotation.w = map(float, q)
    msg.translation.x, msg.translation.y, msg.translation.z = map(float, T[:3, 3])
    return msg


def is_finite(msg: OdometryMsg) -> bool:
    """Whether every number of an odometry message is finite."""
    p, q = msg.pose.pose.position, msg.pose.pose.orientation
    v, w = msg.twist.twist.linear, msg.twist.twist.angular
    numbers = [p.x, p.y, p.z, q.x, q.y, q.z, q.w, v.x, v.y, v.z, w.x, w.y, w.z]
    return bool(np.isfinite([*numbers, *msg.pose.covariance, *msg.twist.covariance]).all())


def pose_from_msg(msg: Pose) -> Float64:
    """Motion (4, 4) of a pose message."""
    p, q = msg.position, msg.orientation
    return se3.make(quaternion_matrix([q.x, q.y, q.z, q.w])[:3, :3], [p.x, p.y, p.z])


def transform_from_msg(msg: Transform) -> Float64:
    """Motion (4, 4) of a transform message."""
    t, q = msg.translation, msg.rotation
    return se3.make(quaternion_matrix([q.x, q.y, q.z, q.w])[:3, :3], [t.x, t.y, t.z])


def packed(code: str, values: NDArray[Any] | None) -> array.array[Any]:
    """A message's array, of elements of type ``code``, from an array of any shape (N, ...); None is empty."""
    result = array.array(code)
    if values is not None:
        flat = np.ascontiguousarray(values).reshape(-1)
        result.frombytes(flat.view(np.uint8).data)  # one copy, no bytes object between
    return result


def _dtype_code(features: Features) -> int:
    is_bytes = features.descriptors.dtype == np.uint8
    return int(FeatureArray.DTYPE_UINT8 if is_bytes else FeatureArray.DTYPE_FLOAT32)


def _floats(values: NDArray[np.float32] | None) -> array.array[float]:
    return packed("f", values)


def _view(data: Any, dtype: Any) -> NDArray[Any]:
    return np.frombuffer(data, dtype=dtype)
