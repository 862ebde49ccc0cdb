# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Every default of the package, once: nested frozen dataclasses whose fields carry their meaning.

Nodes declare their ROS parameters from these classes (``features.max_keypoints`` and so on), command
lines and Python callers build them directly. A value outside its range is refused where it is set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from hybrid_features_ros.core.errors import InputError


def option(
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = True,
) -> Any:
    """A dataclass field with its description and its closed range or list of choices.

    A choice with a colon stands for every name of that form. What is not ``live`` shapes a node when it is
    made and cannot be changed while it runs.
    """
    return field(
        default=default,
        metadata={"description": description, "low": low, "high": high, "choices": choices, "live": live},
    )


class _Checked:
    def __post_init__(self) -> None:
        for f in fields(self):  # type: ignore[arg-type]
            if f.metadata:
                _check(f.name, getattr(self, f.name), f.default, f.metadata)


@dataclass(frozen=True)
class FeatureConfig(_Checked):
    """Image to features."""

    extractor: str = option(
        "hybrid",
        "Local features: S-TREK keypoints with RootSIFT and a learned residue (hybrid), S-TREK "
        "keypoints with RootSIFT (strek), OpenCV's SIFT keypoints with RootSIFT (sift), or a class of "
        "your own by its name (my_package.my_module:MyClass).",
        choices=("sift", "strek", "hybrid", "module:Class"),
    )
    extractor_options: str = option(
        "",
        "Arguments of a class of your own as YAML, such as {threshold: 0.1}; max_keypoints is always given.",
    )
    engine: str = option(
        "auto",
        "What computes strek and hybrid: OpenCV and numpy, ONNX Runtime (networks only), PyTorch, or what is "
        "fastest here (auto: PyTorch or ONNX Runtime where it has a GPU, else OpenCV).",
        choices=("auto", "opencv", "onnx", "torch"),
    )
    tracking: str = option(
        "every_frame",
        "Detect keypoints in every image; or only where too few are left or a keyframe is due, and follow "
        "them by optical flow in the images between.",
        choices=("every_frame", "between_keyframes"),
    )
    own_process: bool = option(
        False,
        "Nodes extract features in a process of their own: uses a second core, and some 100 MB.",
    )
    grid: int = option(
        0,
        "Grid for an even spread of keypoints (bucketing): cells along each side of the image; 0 = "
        "the best keypoints anywhere (strek and hybrid only).",
        low=0,
        high=32,
    )
    descriptor_type: str = option(
        "float32",
        "Element type of descriptors: uint8 takes a quarter of the bandwidth of float32 (strek and "
        "hybrid only).",
        choices=("float32", "uint8"),
    )
    max_keypoints: int = option(
        1000, "Maximum number of keypoints per image, best scores first.", low=1, high=20000
    )
    min_keypoints: int = option(
        500,
        "Number of keypoints down to which a node goes while it has to drop images, and up again when it has "
        "not; 0 = always max_keypoints (strek and hybrid only).",
        low=0,
        high=20000,
    )
    contrast_threshold: float = option(
        0.01, "SIFT: contrast threshold of a keypoint, grey values in [0, 1].", low=0.0, high=1.0
    )
    edge_threshold: float = option(
        10.0,
        "SIFT: edge threshold, largest ratio of the principal curvatures of a keypoint.",
        low=1.0,
        high=100.0,
    )
    inverse_depth_sigma: float = option(
        0.003, "Depth images: standard deviation of the inverse of their depths [1/m].", low=1e-6, high=1.0
    )
    rectification_sigma: float = option(
        0.002,
        "Stereo: standard deviation of the pitch and roll that the rectification leaves between the cameras, "
        "a fifth of the yaw's [rad]; they are refined from the rows of matched keypoints.",
        low=1e-6,
        high=0.1,
    )
    threads: int = option(
        0, "Threads of the image library; 0 leaves its own choice (all cores).", low=0, high=256
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        usual = type(self).__dataclass_fields__["min_keypoints"].default
        if self.max_keypoints < self.min_keypoints != usual:
            raise InputError(
                f"features.min_keypoints = {self.min_keypoints} is more than features.max_keypoints = "
                f"{self.max_keypoints}: give no more, or 0"
            )


@dataclass(frozen=True)
class LandmarkMatchingConfig(_Checked):
    """Features to landmarks."""

    lowe_ratio: float = option(
        0.9,
        "Lowe's ratio test: largest ratio of the distances to the nearest and to the second nearest "
        "descriptor; 1 = off.",
        low=0.1,
        high=1.0,
    )


@dataclass(frozen=True)
class MatchingConfig(LandmarkMatchingConfig):
    """Features of two images to correspondences."""

    min_score: float = option(
        0.0, "Minimum similarity of two matched descriptors; 0 = off.", low=0.0, high=1.0
    )
    vote_deg: float = option(
        0.0,
        "Hough vote on relative orientation: matches whose keypoints turn by more than this away from "
        "the largest consistent group are outliers [deg]; 0 = off.",
        low=0.0,
        high=180.0,
    )


@dataclass(frozen=True)
class TwoViewConfig(_Checked):
    """Correspondences to a motion."""

    inlier_threshold_px: float = option(
        1.5,
        "RANSAC: inlier threshold of the epipolar, homography or rotation error, in pixels of the "
        "incoming image.",
        low=0.1,
        high=20.0,
    )
    ransac_iterations: int = option(
        1000,
        "RANSAC: most random samples of a rotation (never more than 200) and of a homography (500); an "
        "essential matrix takes 200, and P3P at most as many.",
        low=10,
        high=100000,
    )
    min_inliers: int = option(20, "Minimum number of inliers of a motion model.", low=8, high=10000)
    min_inlier_share: float = option(0.2, "Minimum inlier ratio of a motion model.", low=0.0, high=1.0)


@dataclass(frozen=True)
class TrackingConfig(_Checked):
    """Landmarks to a pose."""

    threshold_px: float = option(
        3.0,
        "Tracking and PnP's RANSAC: inlier threshold of the reprojection error of a landmark, in pixels of "
        "the incoming image.",
        low=0.1,
        high=30.0,
    )
    max_landmarks: int = option(
        1200,
        "Maximum number of landmarks of the local map that are matched with an image.",
        low=50,
        high=100000,
    )
    min_landmarks: int = option(
        15,
        "Minimum number of landmarks of known depth from which PnP may determine the position.",
        low=6,
        high=10000,
    )
    max_position_sigma: float = option(
        0.03,
        "PnP: largest standard deviation of the position, over the scene's depth, at which it counts "
        "as determined; above it the two-view models decide.",
        low=1e-4,
        high=1.0,
    )
    min_agreement: float = option(
        0.5, "Initialisation: minimum inlier ratio of the two-view model.", low=0.0, high=1.0
    )
    min_parallax_deg: float = option(
        0.5,
        "Initialisation: minimum median parallax, unless the translation is far above the noise with "
        "less [deg].",
        low=0.05,
        high=30.0,
    )
    assumed_depth: float = option(
        2.0,
        "Median depth of the scene that sets the scale of a single camera [m]; measured depths replace it.",
        low=0.01,
        high=1e4,
    )
    inverse_depth_sigma: float = option(
        0.003,
        "Standard deviation of the inverse of measured depths, where the features bring none of their "
        "own [1/m].",
        low=1e-6,
        high=1.0,
    )
    calibration_error: float = option(
        0.005,
        "Covariance: relative error of focal length and baseline: of the rotation since the start, and of "
        "lengths where depths are measured.",
        low=0.0,
        high=1.0,
    )
    stamp_error_s: float = option(
        0.015,
        "Covariance and initialisation: how far the time of what an image shows may lie from its stamp: half "
        "the read-out of a rolling shutter, unless readout_s is given; 0 = global shutter with exact stamps "
        "[s].",
        low=0.0,
        high=1.0,
    )
    common_noise_px: float = option(
        0.4,
        "Covariance: error that features of neighbouring images share, so that residuals do not show it, at "
        "the start of a map by one camera: motion blur, the lens; in pixels of the incoming image.",
        low=0.0,
        high=10.0,
    )
    max_acceleration: float = option(
        4.0,
        "Constant-velocity model: process noise, the usual acceleration over the scene's depth [1/s^2].",
        low=0.0,
        high=1e3,
    )
    max_angular_acceleration: float = option(
        30.0,
        "Constant-velocity model: process noise, the usual angular acceleration [rad/s^2].",
        low=0.0,
        high=1e4,
    )
    readout_s: float = option(
        0.0,
        "Rolling shutter: time from the exposure of the first row to that of the last [s]; rays are turned "
        "to the time of the middle row, which the stamp is taken for; 0 = global shutter.",
        low=0.0,
        high=0.2,
    )
    readout_sigma_s: float = option(
        0.0,
        "Rolling shutter: standard deviation of readout_s, which is then estimated while the camera turns in "
        "place [s]; 0 = it is as given.",
        low=0.0,
        high=0.2,
    )
    max_lost_s: float = option(
        0.3,
        "Time without an estimate after which the state is LOST [s].",
        low=0.0,
        high=10.0,
    )


@dataclass(frozen=True)
class MappingConfig(_Checked):
    """Keyframes, landmarks and bundle adjustment."""

    min_inlier_share: float = option(
        0.55,
        "Keyframe rule: new keyframe when the inliers fall below this share of the most inliers since "
        "the last keyframe.",
        low=0.0,
        high=1.0,
    )
    max_rotation_deg: float = option(
        20.0,
        "Keyframe rule: new keyframe when the optical axis has turned by more than this since the "
        "last one [deg].",
        low=1.0,
        high=180.0,
    )
    min_new_depths: int = option(
        40,
        "Keyframe rule: new keyframe when it triangulates the depths of at least this many landmarks.",
        low=1,
        high=10000,
    )
    min_new_share: float = option(
        0.6,
        "Keyframe rule: and, below min_parallax_deg, at least this share of the inliers of known depth.",
        low=0.0,
        high=10.0,
    )
    min_parallax_deg: float = option(
        1.0,
        "Keyframe rule: median parallax from which min_new_depths suffices [deg].",
        low=0.0,
        high=90.0,
    )
    max_parallax_deg: float = option(
        4.0,
        "Keyframe rule: new keyframe when the median parallax since the last one exceeds this [deg].",
        low=0.1,
        high=90.0,
    )
    max_keyframes: int = option(
        40,
        "Maximum number of keyframes in the local map; the most redundant are removed first.",
        low=4,
        high=1000,
    )
    cull_after_keyframes: int = option(
        3,
        "Landmark culling: number of keyframes after which a landmark with a single observation is removed.",
        low=1,
        high=100,
    )
    window: int = option(
        6,
        "Bundle adjustment: number of keyframes in the window that are optimised; as many covisible "
        "ones stay fixed.",
        low=2,
        high=100,
    )
    iterations: int = option(
        6, "Bundle adjustment: maximum number of Levenberg-Marquardt iterations; 0 = off.", low=0, high=100
    )
    adjustment_delay: int = option(
        3,
        "Bundle adjustment: its result is applied this many images after its start, so that replays "
        "are repeatable; 0 = with the next image.",
        low=0,
        high=1000,
    )


@dataclass(frozen=True)
class GyroConfig(_Checked):
    """Gyroscope as a prior of the rotation."""

    noise: float = option(0.002, "Noise density of the gyroscope [rad/s/sqrt(Hz)].", low=1e-7, high=1.0)
    bias_sigma: float = option(
        0.02, "Standard deviation of the gyroscope's bias [rad/s].", low=0.0, high=10.0
    )
    time_offset_s: float = option(
        0.0,
        "Time offset added to the gyroscope's stamps to get the camera's clock [s].",
        low=-10.0,
        high=10.0,
    )


@dataclass(frozen=True)
class PriorConfig(_Checked):
    """Another odometry (wheels) as a measurement of the motion."""

    translation_sigma: float = option(
        0.02,
        "Motion prior without a covariance: standard deviation of its translation, over the distance.",
        low=1e-6,
        high=10.0,
    )
    rotation_sigma: float = option(
        0.05,
        "Motion prior without a covariance: standard deviation of its rotation, over the angle.",
        low=1e-6,
        high=10.0,
    )
    scale_error: float = option(
        0.02,
        "Motion prior: relative standard deviation that all its lengths have in common (slip, a worn tyre); "
        "the metric scale of one camera is not better known.",
        low=0.0,
        high=1.0,
    )
    max_scale_sigma: float = option(
        0.1,
        "Motion prior: relative standard deviation of one camera's scale at which it counts as metric; "
        "0 = never.",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class OdometryConfig(_Checked):
    """Features to a trajectory."""

    matching: LandmarkMatchingConfig = field(default_factory=LandmarkMatchingConfig)
    two_view: TwoViewConfig = field(default_factory=TwoViewConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    mapping: MappingConfig = field(default_factory=MappingConfig)
    gyro: GyroConfig = field(default_factory=GyroConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    seed: int = option(
        0, "Seed of all random sampling (RANSAC), so that replays are repeatable.", low=0, high=2**31 - 1
    )


@dataclass(frozen=True)
class FrameConfig(_Checked):
    """Names of coordinate frames (REP-105) and what is broadcast."""

    odom: str = option("odom", "World frame of the odometry (REP-105): continuous, drifts.", live=False)
    base: str = option(
        "",
        "Frame of the robot whose pose is published, e.g. base_link; empty: the camera's own frame.",
        live=False,
    )
    camera: str = option("", "Optical frame of the camera; empty: the frame_id of the images.", live=False)
    guess: str = option(
        "",
        "Motion prior: frame of another odometry on TF (wheels, inertial) whose motion predicts the "
        "camera's; then odom -> this frame is broadcast instead of odom -> base; empty: none.",
        live=False,
    )
    publish_tf: bool = option(True, "Broadcast odom -> base on /tf.")
    invert_tf: bool = option(False, "Broadcast base -> odom instead, where base has another parent already.")
    path_length: int = option(
        2000, "Poses kept on the path topic; 0 = no path.", low=0, high=1000000, live=False
    )
    trajectory_length: int = option(
        200000, "Newest poses kept for ~/save_trajectory.", low=1, high=10000000, live=False
    )


@dataclass(frozen=True)
class InputConfig(_Checked):
    """How images arrive."""

    transport: str = option(
        "raw",
        "Image topic: raw = `image`, compressed = `image/compressed`.",
        choices=("raw", "compressed"),
        live=False,
    )
    rectified: bool = option(
        False,
        "The image is rectified: use P of camera_info and no distortion. Not given, the topic's name decides "
        "(image_rect).",
        live=False,
    )
    depth: bool = option(
        False,
        "Subscribe to `depth/image`, registered to the image, and give every feature its depth.",
        live=False,
    )
    stereo: bool = option(
        False,
        "Subscribe to `left/image_rect`, `right/image_rect` and both `camera_info` instead of `image`.",
        live=False,
    )
    imu: bool = option(False, "Subscribe to `imu`; its gyroscope is the prior of the rotation.", live=False)
    prior: bool = option(
        False,
        "Subscribe to `prior`: another odometry (wheels), a measurement of the motion between images.",
        live=False,
    )
    sync: str = option(
        "approximate",
        "Pairs of images: approximate = within max_interval_s, exact = of equal stamps.",
        choices=("approximate", "exact"),
        live=False,
    )
    max_interval_s: float = option(
        0.02,
        "Longest time between an image and the depth or right image paired with it [s].",
        low=0.0,
        high=1.0,
        live=False,
    )
    queue: int = option(
        1,
        "Queue length of images; the oldest is dropped first. 1 = always the newest image.",
        low=1,
        high=1000,
        live=False,
    )
    reliability: str = option(
        "auto",
        "Quality of service of image subscriptions: auto = reliable where every publisher of the topic "
        "offers it, else best effort. Over a link that loses much (WLAN) give best_effort. A parameter "
        "qos_overrides of the topic goes before this one.",
        choices=("auto", "best_effort", "reliable"),
    )
    silence_s: float = option(3.0, "Warn after this time without an image [s].", low=0.1, high=3600.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth and self.stereo:
            raise InputError("input.depth and input.stereo are both true: choose one source of depth")


@dataclass(frozen=True)
class Config(_Checked):
    """All parameters of the nodes."""

    autostart: bool = option(
        True, "Configure and activate at the start; false where a lifecycle manager does.", live=False
    )
    features: FeatureConfig = field(default_factory=FeatureConfig)
    odometry: OdometryConfig = field(default_factory=OdometryConfig)
    frames: FrameConfig = field(default_factory=FrameConfig)
    input: InputConfig = field(default_factory=InputConfig)


@dataclass(frozen=True)
class Option:
    """One leaf of a configuration: its dotted name, value and documentation."""

    name: str
    value: bool | int | float | str
    description: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    live: bool


def options(config: Any, prefix: str = "") -> Iterator[Option]:
    """All leaves of a configuration, depth first, in the order of their declaration."""
    for f in fields(config):
        value = getattr(config, f.name)
        if is_dataclass(value):
            yield from options(value, f"{prefix}{f.name}.")
        else:
            m = f.metadata
            yield Option(
                f"{prefix}{f.name}", value, m["description"], m["low"], m["high"], m["choices"], m["live"]
            )


# Parameters of version 0.1 that have another name now: the message about an unknown one tells it until 0.3.
RENAMED = {
    "matching.ratio": "matching.lowe_ratio",
    "two_view.threshold_px": "two_view.inlier_threshold_px",
    "two_view.max_iterations": "two_view.ransac_iterations",
    "mapping.patience": "mapping.cull_after_keyframes",
    "mapping.delay": "mapping.adjustment_delay",
}


def unknown_option(name: str, known: Iterable[str]) -> str:
    """The message for a name that no option has."""
    old = name.removeprefix("odometry.")
    if old in RENAMED:
        new = name.removesuffix(old) + RENAMED[old]
        return f"unknown parameter {name!r}: it is {new!r} since version 0.2"
    return f"unknown parameter {name!r}; known are {', '.join(known)}"


def with_options(config: Any, values: Mapping[str, Any]) -> Any:
    """A copy of ``config`` with the leaves named by dotted names replaced.

    Raises:
        InputError: a name does not exist, or a value has the wrong type or lies out of range.
    """
    known = [o.name for o in options(config)]
    changes: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name not in known:
            raise InputError(unknown_option(name, known))
        head, _, rest = name.partition(".")
        if rest:
            nested.setdefault(head, {})[rest] = value
        else:
            changes[head] = value
    for head, inner in nested.items():
        changes[head] = with_options(getattr(config, head), inner)
    return replace(config, **changes)


def _check(name: str, value: Any, default: Any, rule: Mapping[str, Any]) -> None:
    kind = type(default)
    if kind is float and type(value) is int:
        return _check(name, float(value), default, rule)
    if type(value) is not kind:
        raise InputError(f"{name} = {value!r}: give a {kind.__name__}, such as {default!r}")
    choices = rule["choices"]
    if choices and value not in choices and not (":" in value and any(":" in c for c in choices)):
        raise InputError(f"{name} = {value!r}: choose one of {', '.join(choices)}")
    low, high = rule["low"], rule["high"]
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        raise InputError(f"{name} = {value}: must lie in [{low}, {high}]")
    return None
