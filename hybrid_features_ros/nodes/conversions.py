"""The only file that knows both worlds: core values on one side, ROS messages on the other.

Flat message arrays are filled from ``array.array``: rclpy takes those without looking at every element,
and reads come back as views of the message's own memory.
"""

from __future__ import annotations

import array
import sys
from dataclasses import replace
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
from hybrid_features_ros.msg import FeatureArray, FeatureMatches, Keyframe, OdometryStatus, RelativePose

OPTICAL_TO_BODY = se3.make([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], [0, 0, 0])
"""``T_body_optical``: REP-103 axes, x forward, y left, z up, from x right, y down, z forward."""

NOT_MEASURED = 65535  # in 16-bit depth: saturated, or a driver's mark of no measurement

_BRIDGE = CvBridge()
# Names that cv_bridge does not take for a picture, and the one it takes for the same bytes.
_SYNONYMS = {
    "8uc1": "mono8",
    "8uc3": "bgr8",
    "8uc4": "bgra8",
    "yuyv": "yuv422_yuy2",
    "uyvy": "yuv422",
    # A grey picture, and planes of colour behind it.
    **dict.fromkeys(("nv12", "nv21", "nv16", "nv61", "nv24", "nv42", "i420", "yv12", "yuv420"), "mono8"),
}
_NUMBERS = ("mono16", "16UC1", "16SC1", "32FC1")  # one channel whose range is not that of a byte


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
    if isinstance(msg, CompressedImage):
        return _decompress(msg)
    _check_size(msg)
    encoding = _SYNONYMS.get(msg.encoding.lower(), msg.encoding)
    if encoding in _NUMBERS:
        return _as_bytes(_decode(msg, encoding, "passthrough"))
    if encoding.endswith("16"):  # colours: a sensor of 12 bits leaves the upper four dark
        return _as_bytes(_decode(msg, encoding, "bgr16"))
    return np.asarray(_decode(msg, encoding, "mono8" if encoding == "mono8" else "bgr8"), dtype=np.uint8)


def image_to_msg(image: NDArray[np.uint8], header: Header) -> Image:
    """Image message of BGR pixels (H, W, 3) uint8."""
    # By hand: cv_bridge compares type numbers that OpenCV 5 has changed, and would refuse.
    height, width, channels = image.shape
    return Image(
        header=header, height=height, width=width, encoding="bgr8", step=width * channels,
        data=packed("B", image),
    )  # fmt: skip


def depth_from_msg(msg: Image) -> NDArray[np.float32]:
    """Depth (H, W) float32 [m] of a 16UC1 (millimetres) or 32FC1 (metres) image, as in REP-118.

    NaN where the largest number of 16 bits says that nothing was measured.

    Raises:
        InputError: another encoding.
    """
    _check_size(msg)
    if msg.encoding in ("16UC1", "mono16"):
        raw = _decode(msg, msg.encoding, "passthrough")
        depth = np.asarray(raw, dtype=np.float32) / np.float32(1000)
        depth[raw == NOT_MEASURED] = np.nan
        return depth
    if msg.encoding == "32FC1":
        return np.asarray(_decode(msg, msg.encoding, "passthrough"), dtype=np.float32)
    raise InputError(f"depth image has encoding {msg.encoding!r}; publish 16UC1 [mm] or 32FC1 [m]")


def camera_from_msg(msg: CameraInfo, rectified: bool) -> Camera:
    """The calibration of the raw image (K and D), or of the rectified one (P), after its ROI and binning.

    ``sensor_msgs/CameraInfo`` calibrates the full sensor; the image is the region of interest of it,
    every ``binning`` pixels joined to one.

    Raises:
        InputError: the camera is not calibrated (K[0] = 0), or the lens model is unknown.
    """
    if rectified:
        P = msg.p
        K = [P[0], P[1], P[2], P[4], P[5], P[6], P[8], P[9], P[10]]
        camera = Camera.from_calibration(msg.width, msg.height, K, "none", ())
    else:
        model, D = msg.distortion_model, list(msg.d)
        camera = Camera.from_calibration(msg.width, msg.height, list(msg.k), model, D)
    roi, bx, by = msg.roi, max(msg.binning_x, 1), max(msg.binning_y, 1)
    return replace(
        camera,
        width=(roi.width or msg.width) // bx,
        height=(roi.height or msg.height) // by,
        fx=camera.fx / bx,
        fy=camera.fy / by,
        cx=(camera.cx - roi.x_offset + 0.5) / bx - 0.5,
        cy=(camera.cy - roi.y_offset + 0.5) / by - 0.5,
    )


def baseline_from_msg(right: CameraInfo) -> tuple[float, float]:
    """Focal length [px] and baseline [m] that the right camera of a rectified pair announces in its P.

    Raises:
        InputError: there is no baseline in it.
    """
    focal, offset = float(right.p[0]), float(right.p[3])
    if not focal > 0 or not offset < 0:
        raise InputError(
            f"right camera_info: P[0] = {focal}, P[3] = {offset} is no rectified pair; P[3] must be "
            "-focal length x baseline: calibrate the pair, or swap left and right"
        )
    return focal / max(right.binning_x, 1), -offset / focal


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


def status_to_msg(result: OdometryResult, header: Header, dropped: int) -> OdometryStatus:
    """What the odometry did with the image."""
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
        stage=list(result.milliseconds),
        stage_ms=_floats(np.array(list(result.milliseconds.values()), np.float32)),
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


def _check_size(msg: Image) -> None:
    if msg.width == 0 or msg.height == 0 or len(msg.data) < msg.step * msg.height:
        raise InputError(
            f"image of {msg.width}x{msg.height} pixels with step {msg.step} holds {len(msg.data)} bytes; "
            "check the camera driver"
        )


def _decompress(msg: CompressedImage) -> NDArray[np.uint8]:
    name = f"compressed image ({msg.format!r}, {len(msg.data)} bytes)"
    try:
        image = _BRIDGE.compressed_imgmsg_to_cv2(msg)
    except (CvBridgeError, cv2.error, ValueError) as error:
        raise InputError(f"{name} cannot be decoded: {' '.join(str(error).split())}") from None
    if image is None:
        raise InputError(f"{name} cannot be decoded: publish JPEG or PNG")
    return _as_bytes(image if image.ndim == 2 else image[..., : 3 if image.shape[2] > 2 else 1])


def _as_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Bytes as they are; other numbers scaled so that their range fills a byte, NaN as the darkest."""
    if image.dtype == np.uint8:
        return image if image.ndim == 2 or image.shape[2] == 3 else image[..., 0]
    known = image[np.isfinite(image)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    numbers = np.nan_to_num(image.astype(np.float32), nan=low, posinf=high, neginf=low)
    return np.asarray((numbers - low) * (255.0 / (high - low) if high > low else 0.0), dtype=np.uint8)


def _decode(msg: Image, encoding: str, desired: str) -> NDArray[Any]:
    """The picture of a message whose data is to be taken for ``encoding``."""
    try:
        return np.asarray(_BRIDGE.imgmsg_to_cv2(_compact(msg, encoding), desired_encoding=desired))
    except (CvBridgeError, cv2.error, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"image encoding {msg.encoding!r} cannot be used ({' '.join(str(error).split())}); "
            "publish mono8, mono16, bgr8, rgb8, bgra8, rgba8, bayer_*, yuyv, uyvy, nv12 or nv21"
        ) from None


def _compact(msg: Image, encoding: str) -> Image:
    """The same image without row padding, in this machine's byte order, under the given encoding.

    cv_bridge shears images whose padding is no whole number of pixels, and with numpy 2 it cannot swap bytes.
    """
    name, channels = _BRIDGE.encoding_to_dtype_with_channels(encoding)
    dtype = np.dtype(name)
    row = msg.width * channels * dtype.itemsize
    foreign = bool(msg.is_bigendian) == (sys.byteorder == "little")
    if msg.step < row:
        raise ValueError(f"step {msg.step} is less than the {row} bytes of {msg.width} pixels")
    if msg.step == row and not foreign and encoding == msg.encoding:
        return msg
    rows = np.frombuffer(msg.data, np.uint8, msg.height * msg.step).reshape(msg.height, msg.step)[:, :row]
    pixels = np.ascontiguousarray(rows).view(dtype)
    return Image(
        header=msg.header, height=msg.height, width=msg.width, encoding=encoding, step=row,
        is_bigendian=int(sys.byteorder == "big"), data=packed("B", pixels.byteswap() if foreign else pixels),
    )  # fmt: skip


def _dtype_code(features: Features) -> int:
    is_bytes = features.descriptors.dtype == np.uint8
    return int(FeatureArray.DTYPE_UINT8 if is_bytes else FeatureArray.DTYPE_FLOAT32)


def _floats(values: NDArray[np.float32] | None) -> array.array[float]:
    return packed("f", values)


def _view(data: Any, dtype: Any) -> NDArray[Any]:
    return np.frombuffer(data, dtype=dtype)
