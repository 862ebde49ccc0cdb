# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The robot's core calls over a recorded sequence, without ROS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from time import perf_counter

import numpy as np

from hybrid_features_ros.core.camera import Camera, Distortion
from hybrid_features_ros.core.config import Config
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import Features, OdometryResult, Trajectory
from hybrid_features_ros.features import Extractor, make_extractor
from hybrid_features_ros.features.depth import with_depth
from hybrid_features_ros.features.stereo import PAIRS_CHECKED, PairOrder, StereoDepth, known_depths
from hybrid_features_ros.features.tracking import Expect, FeatureTracker
from hybrid_features_ros.io.priors import MotionsBetween
from hybrid_features_ros.io.sources import Frame, Source
from hybrid_features_ros.odometry import Odometry


@dataclass(frozen=True, eq=False)
class Step:
    """One frame and what became of it.

    Attributes:
        frame: as it came from the source.
        features: of its image, with depths where they were used.
        result: of the odometry.
        extract_ms: wall-clock time that the features took [ms].
        prior: motion since the frame before by another odometry; None if none told it.
    """

    frame: Frame
    features: Features
    result: OdometryResult
    extract_ms: float
    prior: MotionPrior | None = None


def run(source: Source, config: Config, frames: slice = slice(None)) -> Iterator[Step]:
    """Extract and track some frames of a source, one step per frame.

    ``config.input`` says, as for the nodes, what else is used: depth images where the frame has one, the
    right camera of a rectified pair, the angular velocities of a gyroscope, another odometry as a motion
    prior. A frame that cannot be used is
    left out and noted (``source.notes``), as the nodes do.

    Args:
        frames: which of the source's frames.

    Raises:
        InputError: the source has no right camera, depth, gyroscope or prior that is asked for, or no usable
            frame.
    """
    odometry = Odometry(config.odometry)
    if config.input.imu:
        add_gyro(odometry, source)
    priors = _priors(source, frames) if config.input.prior else None
    before: int | None = None
    for frame, features, extract_ms in extracted(source, config, frames, odometry.expectation):
        prior = None if priors is None or before is None else priors.motion(before, frame.stamp)
        try:
            result = odometry.process(frame.stamp, features, source.camera, prior)
        except InputError as error:
            source.notes.skipped[f"image {frame.stamp} ns"] = str(error)
            continue
        yield Step(frame, features, result, extract_ms, prior)
        before = frame.stamp


def extracted(
    source: Source, config: Config, frames: slice = slice(None), expect: Expect | None = None
) -> Iterator[tuple[Frame, Features, float]]:
    """Frames, their features with depths as in :func:`run`, and the wall-clock time of these [ms].

    Args:
        expect: what the odometry expects of an image, see :class:`FeatureTracker`.

    Raises:
        InputError: the source has no right camera or depth that is asked for, or no usable frame.
    """
    depth, stereo = config.input.depth, config.input.stereo
    _check_missing(source, "depth" if depth else "", "right" if stereo else "")
    extractor = make_extractor(config.features)
    tracker = FeatureTracker(extractor, config.features.tracking, expect)
    pair = StereoDepth(*_pair(source, config)) if stereo else None
    wanted = set(source.stamps[frames].tolist())
    if stereo:
        _check_pair(source, config, extractor)
    count = with_depth_count = 0
    for frame, right in _frames(source, stereo):
        if frame.stamp not in wanted:
            continue
        begin = perf_counter()
        try:
            _check_size(frame, source.camera)
            features = _features(tracker, pair, frame, right, config)
        except InputError as error:
            source.notes.skipped[f"image {frame.stamp} ns"] = str(error)
            continue
        count += 1
        with_depth_count += known_depths(features) > 0
        yield frame, features, 1e3 * (perf_counter() - begin)
    if not count or ((depth or stereo) and not with_depth_count):
        none = (
            "no point of a left image was found on the right one: are they of one moment, and rectified?"
            if stereo
            else "none is near enough in time, or none holds a valid depth (0, 65535, NaN and inf are none)"
        )
        reason = next(iter(source.notes.skipped.values()), none)
        raise InputError(f"{source.name}: no {'frame has depth' if count else 'usable frame'}: {reason}")
    if (depth or stereo) and with_depth_count < count:
        source.notes.assumed["frames without depth"] = (
            f"{count - with_depth_count} of {count} frames have no depth"
        )


def add_gyro(odometry: Odometry, source: Source) -> None:
    """Give the odometry all angular velocities of a source.

    Raises:
        InputError: it has none, or none of the images' time.
    """
    imu = source.imu
    if imu is None:
        _check_missing(source, "imu")
        raise InputError(f"{source.name}: no inertial measurements")
    if not ((imu.stamps >= source.stamps[0]) & (imu.stamps <= source.stamps[-1])).any():
        raise InputError(
            f"{source.name}: no inertial measurement is of the images' time, {source.stamps[0]} to "
            f"{source.stamps[-1]} ns; the first is of {imu.stamps[0]} ns"
        )
    ends = np.searchsorted(np.sort(imu.stamps), source.stamps, side="right")
    without = int((np.diff(ends) == 0).sum())
    if without:
        source.notes.assumed["time of the gyroscope"] = (
            f"the gyroscope did not measure between {without} of {len(source) - 1} images and the ones before"
        )
    for stamp, rate in zip(imu.stamps.tolist(), imu.gyro, strict=True):
        try:
            odometry.add_gyro(stamp, rate)
        except InputError as error:
            source.notes.skipped[f"angular velocity {stamp} ns"] = str(error)


def _priors(source: Source, frames: slice) -> MotionsBetween:
    """Motions between a source's frames by another odometry.

    Raises:
        InputError: none was chosen, or it is of another time.
    """
    if source.prior is None:
        raise InputError(f"{source.name}: no motion prior was chosen; --prior names its topic or file")
    stamps, known = source.stamps[frames], source.prior.stamps
    if not ((known >= stamps[0]) & (known <= stamps[-1])).any():
        raise InputError(
            f"{source.name}: no pose of the prior is of the images' time, {stamps[0]} to {stamps[-1]} ns; "
            f"the first is of {known[0]} ns"
        )
    return MotionsBetween(source.prior)


def _check_missing(source: Source, *names: str) -> None:
    """Whether a source has what is asked for, before anything is computed."""
    what = {"depth": "no frame has depth", "right": "no right camera", "imu": "no inertial measurements"}
    for name in filter(None, names):
        if name in source.notes.missing:
            raise InputError(f"{source.name}: {what[name]}: {source.notes.missing[name]}")


def _pair(source: Source, config: Config) -> tuple[float, float, tuple[float, float], float]:
    """What depth from a pair needs, rectified to one focal length and height so that its rows match."""
    if source.right is None:
        raise InputError(
            f"{source.name}: no right camera; a stereo pair is two folders NAME_left, NAME_right"
        )
    if not source.baseline:
        raise InputError(f"{source.name}: no baseline of the pair; write baseline_m [m] into calib.json")
    left, right = source.camera, source.right.camera
    lenses = {left.distortion, right.distortion} - {Distortion.NONE}
    if lenses:
        raise InputError(
            f"{source.name}: the images of the pair are not rectified ({lenses.pop().value}); rectify them "
            "(stereo_image_proc), or --set input.rectified=true if they are and P is known"
        )
    if abs(left.fx - right.fx) > 1e-3 * left.fx or left.height != right.height:
        raise InputError(
            f"{source.name}: left and right image are not rectified to one another: fx {left.fx:g} and "
            f"{right.fx:g}, {left.height} and {right.height} rows"
        )
    offset = (left.cx - right.cx, left.cy - right.cy)
    return left.fx, source.baseline, offset, config.features.rectification_sigma


def _check_pair(source: Source, config: Config, extractor: Extractor) -> None:
    """Whether the first images show the pair that the calibration describes.

    Raises:
        InputError: left and right images are the same, or more points are found when they change places.
    """
    pair = _pair(source, config)
    stereo, order = StereoDepth(*pair), PairOrder(*pair)
    first = islice(_frames(source, True), PAIRS_CHECKED)
    pairs = [(left.image, right.image) for left, right in first if right is not None]
    if pairs and all(np.array_equal(a, b) for a, b in pairs):
        raise InputError(
            f"{source.name}: left and right images are the same: give those of the right camera (--right)"
        )
    for images in pairs:
        a, b = (extractor.extract(image) for image in images)
        if a.height == b.height:
            order.see(stereo.add(a, b), b)
    if order.doubt:
        raise InputError(f"{source.name}: {order.doubt}: swap left and right")


def _check_size(frame: Frame, camera: Camera) -> None:
    height, width = frame.image.shape[:2]
    if (height, width) != (camera.height, camera.width):
        raise InputError(
            f"the image has {width}x{height} pixels, its calibration is for {camera.width}x{camera.height}: "
            "give the calibration that belongs to it"
        )


def _frames(source: Source, stereo: bool) -> Iterator[tuple[Frame, Frame | None]]:
    """Frames with the right ones of the same stamps; those without are left out and noted."""
    if not stereo or source.right is None:
        yield from ((frame, None) for frame in source)
        return
    rights = iter(source.right)
    right = next(rights, None)
    for frame in source:
        while right is not None and right.stamp < frame.stamp:
            right = next(rights, None)
        if right is not None and right.stamp == frame.stamp:
            yield frame, right
        else:
            source.notes.skipped[f"image {frame.stamp} ns"] = "no right image belongs to it"


def _features(
    tracker: FeatureTracker, pair: StereoDepth | None, frame: Frame, right: Frame | None, config: Config
) -> Features:
    features = tracker.extract(frame.image, frame.stamp)
    if pair is not None and right is not None:  # only keyframes need depths
        return pair.add(features, tracker.extractor.extract(right.image)) if tracker.detected else features
    if config.input.depth and frame.depth is not None:
        return with_depth(features, frame.depth, config.features.inverse_depth_sigma)
    return features


def trajectory(results: Sequence[OdometryResult]) -> Trajectory:
    """The camera's path in the first camera's frame."""
    stamps = np.array([r.stamp for r in results], dtype=np.int64)
    return Trajectory(stamps, np.array([r.T_world_camera for r in results]).reshape(-1, 4, 4))
