# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The values that cross borders: frozen, their shapes checked when they are made.

Conventions, stated once: pixels are ``(x, y)`` with the centre of the top-left pixel at ``(0, 0)``;
angles are radians in image axes (0 = +x, growing towards +y), NaN where unknown; stamps are integer
nanoseconds; ``T_a_b`` maps coordinates in frame b to frame a; covariances are 6x6 in the order
(translation, rotation) of a perturbation in the moving frame, see :mod:`hybrid_features_ros.core.se3`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
Rows = NDArray[np.intp]
Bool = NDArray[np.bool_]
UInt8 = NDArray[np.uint8]


class Metric(IntEnum):
    """How two descriptors are compared; the values are those of ``FeatureArray.msg``."""

    L2 = 0
    HAMMING = 1


class MotionModel(IntEnum):
    """What explains the motion between two images; the values are those of ``RelativePose.msg``."""

    NONE = 0
    ROTATION_ONLY = 1
    HOMOGRAPHY = 2
    ESSENTIAL = 3
    PNP = 4


class Scale(IntEnum):
    """What a translation's length means; the values are those of ``RelativePose.msg``."""

    UNKNOWN = 0
    ASSUMED = 1
    METRIC = 2


class State(IntEnum):
    """State of the odometry; the values are those of ``OdometryStatus.msg``."""

    WAITING = 0
    INITIALIZING = 1
    TRACKING = 2
    ROTATION_ONLY = 3
    DEGRADED = 4
    LOST = 5
    RECOVERING = 6


@dataclass(frozen=True)
class DescriptorFormat:
    """How the rows of ``Features.descriptors`` are to be read.

    A uint8 element with ``Metric.L2`` stands for ``quantisation_scale * byte + quantisation_offset``.
    """

    detector: str
    descriptor: str
    metric: Metric = Metric.L2
    quantisation_scale: float = 1.0
    quantisation_offset: float = 0.0
    model_digest: str = ""


@dataclass(frozen=True, eq=False)
class Features:
    """Local features of one image, element i of every array belonging to keypoint i.

    Attributes:
        points: (N, 2) float32, positions [px].
        scores: (N,) float32, detector response, larger is better.
        scales: (N,) float32, standard deviation of the Gaussian blob [px].
        angles: (N,) float32, orientation [rad], NaN = unknown.
        sigmas: (N,) float32, standard deviation of the position per axis [px].
        descriptors: (N, D) float32 or uint8.
        format: how to read the descriptors.
        width, height: size of the image [px].
        rectified: whether the pixels are free of lens distortion.
        depths: (N,) float32, depth along the optical axis [m], NaN = unknown; None = not measured.
        track_ids: (N,) int32, identity over time, -1 = none; None = not tracked.
        depth_sigmas: (N,) float32, standard deviation of the depths [m], NaN = unknown; None = not given.

    Raises:
        ValueError: an array has another shape or type, or a position is not finite.
    """

    points: Float32
    scores: Float32
    scales: Float32
    angles: Float32
    sigmas: Float32
    descriptors: Float32 | UInt8
    format: DescriptorFormat
    width: int
    height: int
    rectified: bool = False
    depths: Float32 | None = None
    track_ids: Int32 | None = None
    depth_sigmas: Float32 | None = None

    def __post_init__(self) -> None:
        n = len(self.points)
        _freeze(self, "points", (n, 2), np.float32)
        for name in ("scores", "scales", "angles", "sigmas"):
            _freeze(self, name, (n,), np.float32)
        if self.descriptors.ndim != 2:
            raise ValueError(f"descriptors: expected (N, D), got shape {self.descriptors.shape}")
        dtype = np.uint8 if self.descriptors.dtype == np.uint8 else np.float32
        _freeze(self, "descriptors", (n, self.descriptors.shape[1]), dtype)
        if self.depths is not None:
            _freeze(self, "depths", (n,), np.float32)
        if self.track_ids is not None:
            _freeze(self, "track_ids", (n,), np.int32)
        if self.depth_sigmas is not None:
            _freeze(self, "depth_sigmas", (n,), np.float32)
        if not np.isfinite(self.points).all():
            raise ValueError("points: every position must be finite")

    def __len__(self) -> int:
        return len(self.points)


class Extractor(Protocol):
    """What every local feature offers."""

    def extract(self, image: NDArray[Any]) -> Features:
        """Find and describe keypoints.

        Args:
            image: (H, W) or (H, W, 3) uint8, grey or BGR.

        Returns:
            At most ``max_keypoints`` features, best first; none for an image without texture.

        Raises:
            InputError: the image is empty or of another shape or type.
        """
        ...


@dataclass(frozen=True, eq=False)
class Matches:
    """Correspondences between two sets of features.

    Attributes:
        index_a, index_b: (M,) int32, rows of the first and of the second set.
        scores: (M,) float32, similarity of the descriptors in [0, 1].
    """

    index_a: Int32
    index_b: Int32
    scores: Float32

    def __post_init__(self) -> None:
        m = len(self.index_a)
        _freeze(self, "index_a", (m,), np.int32)
        _freeze(self, "index_b", (m,), np.int32)
        _freeze(self, "scores", (m,), np.float32)

    def __len__(self) -> int:
        return len(self.index_a)


@dataclass(frozen=True, eq=False)
class MotionEstimate:
    """Motion of a camera between images a and b, and what was seen to support it.

    Attributes:
        model: the model that explains the matches best, NONE if nothing does.
        T_a_b: (4, 4), camera b in camera a; its translation has unit length when ``scale`` is
            UNKNOWN and the model has one.
        covariance: (6, 6) of a right perturbation of ``T_a_b``.
        scale: what the length of the translation means.
        inliers: (M,) bool, the matches that agree.
        parallax: median angle between the rays of an inlier once the rotation is undone [rad].
        ambiguous: another motion explains as much (a plane allows two).
    """

    model: MotionModel
    T_a_b: Float64
    covariance: Float64
    scale: Scale
    inliers: Bool
    parallax: float
    ambiguous: bool = False

    def __post_init__(self) -> None:
        _freeze(self, "T_a_b", (4, 4), np.float64)
        _freeze(self, "covariance", (6, 6), np.float64)
        _freeze(self, "inliers", (len(self.inliers),), np.bool_)


@dataclass(frozen=True, eq=False)
class OdometryResult:
    """The odometry's estimate for one image.

    Attributes:
        stamp: of the image [ns].
        reference_stamp: of the keyframe that the image was compared with [ns].
        state, scale: see :class:`State` and :class:`Scale`.
        T_world_camera: (4, 4), the camera in the first camera's frame since the start.
        covariance: (6, 6) of a right perturbation of ``T_world_camera``.
        twist: (6,) velocity in the camera's own axes [m/s, rad/s].
        twist_covariance: (6, 6).
        matches: with the keyframe; ``motion.inliers`` belongs to them.
        motion: keyframe to image.
        keypoints, landmarks, keyframes, resets: counts; resets never decreases.
        is_keyframe: whether the image became a keyframe at once.
        previous_is_keyframe: whether the image before became one only now: because it was missed, or because
            a new map begins with it.
        reason: one sentence, empty while TRACKING.
        scale_sigma: relative standard deviation of lengths; of an unknown scale it only says so.
        prior_rejected: a motion prior was given that the image contradicts; it was not used.
        milliseconds: wall-clock time of each stage.
    """

    stamp: int
    reference_stamp: int
    state: State
    scale: Scale
    T_world_camera: Float64
    covariance: Float64
    twist: Float64
    twist_covariance: Float64
    matches: Matches
    motion: MotionEstimate
    keypoints: int
    landmarks: int
    keyframes: int
    resets: int
    is_keyframe: bool = False
    previous_is_keyframe: bool = False
    reason: str = ""
    scale_sigma: float = 0.0
    prior_rejected: bool = False
    milliseconds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, shape in (
            ("T_world_camera", (4, 4)),
            ("covariance", (6, 6)),
            ("twist", (6,)),
            ("twist_covariance", (6, 6)),
        ):
            _freeze(self, name, shape, np.float64)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses over time.

    Attributes:
        stamps: (N,) int64, strictly increasing [ns].
        poses: (N, 4, 4) float64, ``T_world_camera``.
    """

    stamps: NDArray[np.int64]
    poses: Float64

    def __post_init__(self) -> None:
        n = len(self.stamps)
        _freeze(self, "stamps", (n,), np.int64)
        _freeze(self, "poses", (n, 4, 4), np.float64)
        if n > 1 and not (np.diff(self.stamps) > 0).all():
            raise ValueError("stamps: a trajectory's stamps must increase strictly")

    def __len__(self) -> int:
        return len(self.stamps)


def equal(a: Any, b: Any) -> bool:
    """Whether two of these values are the same, arrays bit for bit (NaN equals NaN)."""
    if type(a) is not type(b):
        return False
    return all(_same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if type(a) is not type(b):
            return False
        return a.dtype == b.dtype and a.shape == b.shape and bool(a.tobytes() == b.tobytes())
    return bool(a == b)


def _freeze(owner: Any, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """Check an array field and replace it by a read-only view of itself."""
    array = getattr(owner, name)
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype:
        found = f"{array.dtype}{array.shape}" if isinstance(array, np.ndarray) else repr(array)
        raise ValueError(f"{name}: expected {np.dtype(dtype)}{shape}, got {found}")
    view = array.view()
    view.flags.writeable = False
    object.__setattr__(owner, name, view)
