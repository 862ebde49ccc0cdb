# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The speed benchmark: processor and wall-clock time of features, tracking and whole frames.

Every method runs in a process of its own, so that none profits from memory that another has left, and with
its own number of threads, which libraries read when they are loaded. OpenCV's SIFT and ORB, and ORB with
OpenCV's essential matrix as the cheapest whole odometry, are measured on the same frames in the same run.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import Any

import cv2
import numpy as np

from hybrid_features_ros.benchmarks.baselines import yardstick
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import Config, FeatureConfig
from hybrid_features_ros.core.types import UInt8
from hybrid_features_ros.features.hybrid import HybridExtractor
from hybrid_features_ros.io.images import image_of
from hybrid_features_ros.odometry import Odometry

SIZES = {"vga": (640, 480), "hd": (1280, 720)}
BUDGETS = (1000, 500)
ROUNDS, WARM_UP = 24, 4  # frames
APART = True  # every method in a process of its own
METHODS = ("ours_detector", "ours_descriptor", "ours", "sift", "orb", "orb_essential")
SMEAR_PX, RATE_HZ = 15, 30.0  # blur of a turning camera, in the VGA image; of the frames
POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

Report = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One method on some frames.

    Attributes:
        frames: (H, W) uint8, in turn.
        threads: of every library, 0 = as they come.
    """

    method: str
    frames: Sequence[UInt8]
    budget: int
    extractor: str
    threads: int
    rounds: int
    warm_up: int


def bench_speed(photos: Sequence[UInt8], extractor: str, threads: int = 1) -> Report:
    """Times and ratios to SIFT and ORB, as the JSON of the command.

    Args:
        photos: (H, W) uint8; each is moved a little from frame to frame, half of them smeared as a camera
            smears what it sees when it turns.
        threads: of every method; all of the machine are measured beside it at VGA.
    """
    base = Job("", (), BUDGETS[0], extractor, threads, ROUNDS, WARM_UP)
    shapes = {(size, budget): (size if budget == BUDGETS[0] else f"{size}_{budget}") for size in SIZES
              for budget in BUDGETS}  # fmt: skip
    methods: dict[str, Report] = {m: {"cpu_ms": {}, "wall_ms": {}} for m in METHODS}
    for (size, budget), key in shapes.items():
        frames = moving_frames(photos, SIZES[size])
        for method in METHODS:
            _note(methods[method], key, _run(replace(base, method=method, frames=frames, budget=budget)))
    every: dict[str, Report] = {m: {"cpu_ms": {}, "wall_ms": {}} for m in METHODS}
    first = next(iter(SIZES))
    for method in METHODS:
        job = replace(base, method=method, frames=moving_frames(photos, SIZES[first]), threads=0)
        _note(every[method], first, _run(job))
    whole = replace(base, method="frame", frames=moving_frames(photos, SIZES[first]))
    frame, track = _run(whole), _run(replace(whole, method="track"))
    return {
        "protocol": {
            "images": {k: list(v) for k, v in SIZES.items()},
            "keypoints": list(BUDGETS),
            "threads": threads,
            "machine": f"{os.cpu_count()} cores",
            "rounds": f"{ROUNDS} frames after {WARM_UP}, every method in a process of its own; {len(photos)} "
            f"photographs that move, every other frame smeared by {SMEAR_PX} px",
            "time": "cpu_ms: of the process, all threads; wall_ms: by the clock",
            "ratio": "of the medians of cpu_ms",
            "track_ms, frame_cpu_ms": "processor time of tracking, and of a frame from an rgb8 image message "
            "to a pose; the adjustment's thread included. What ROS costs beside that, bench realtime tells",
            "all_threads": "the libraries' own choice of threads",
        },
        "methods": methods,
        "all_threads": every,
        "ratio_to_sift": _ratios(methods, shapes.values(), "sift"),
        "ratio_to_orb": _ratios(methods, shapes.values(), "orb"),
        "track_ms": _summary(track[0]),
        "frame_cpu_ms": _summary(frame[0]),
    }


def moving_frames(photos: Sequence[UInt8], shape: tuple[int, int], count: int = 8) -> list[UInt8]:
    """``count`` frames (H, W) of each photograph, turned a little from one to the next, every other smeared.

    Args:
        shape: width and height [px].
    """
    frames, (width, height) = [], shape
    for photo in photos:
        image = np.asarray(cv2.resize(photo, shape, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        length = max(3, SMEAR_PX * width // 640)
        smear = np.full((1, length), 1 / length, np.float32)
        for i in range(count):
            M = cv2.getRotationMatrix2D((width / 2, height / 2), 1.5 * i, 1 + 0.005 * i)
            moved = cv2.warpAffine(image, M, shape, borderMode=cv2.BORDER_REFLECT_101)
            frames.append(cv2.filter2D(moved, -1, smear) if i % 2 else moved)
    return frames


def _run(job: Job) -> tuple[list[float], list[float]]:
    """Processor and wall-clock times of a job's frames [ms]."""
    if not APART:
        return measure(job)
    kept = {name: os.environ.get(name) for name in POOLS}
    try:
        for name in POOLS:
            os.environ.pop(name, None)
            if job.threads:
                os.environ[name] = str(job.threads)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(measure, (job,))
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def measure(job: Job) -> tuple[list[float], list[float]]:
    """Processor and wall-clock times of one method's frames [ms], here and now."""
    if job.threads:
        cv2.setNumThreads(job.threads)
    work = _method(job)
    cpu, wall = [], []
    for i in range(job.warm_up + job.rounds):
        frame = job.frames[i % len(job.frames)]
        prepared = work[0](frame)
        begin = process_time(), perf_counter()
        work[1](prepared)
        end = process_time(), perf_counter()
        if i >= job.warm_up:
            cpu.append(1e3 * (end[0] - begin[0]))
            wall.append(1e3 * (end[1] - begin[1]))
    return cpu, wall


def _method(job: Job) -> tuple[Callable[[UInt8], Any], Callable[[Any], Any]]:
    """What is done before the clock starts, and what is timed."""
    if job.method in ("sift", "orb"):
        return _same, yardstick(job.method, job.budget).extract
    height, width = job.frames[0].shape
    camera = Camera(width, height, float(width), float(width), (width - 1) / 2, (height - 1) / 2)
    if job.method == "orb_essential":
        return _same, OrbEssential(job.budget, camera)
    ours = HybridExtractor(
        FeatureConfig(extractor=job.extractor, max_keypoints=job.budget, threads=job.threads)
    )
    if job.method == "ours":
        return _same, ours.extract
    if job.method == "ours_detector":
        return _same, lambda image: ours.detector.detect(image, job.budget)
    if job.method == "ours_descriptor":

        def describe(found: Any) -> object:
            levels, keypoints = found
            return ours.describe(levels, keypoints, width, height)

        return lambda image: ours.detector.detect(image, job.budget), describe
    odometry, stamps = Odometry(Config().odometry), iter(range(0, 10**15, int(1e9 / RATE_HZ)))
    if job.method == "track":
        return ours.extract, lambda features: odometry.process(next(stamps), features, camera)
    return RgbMessage.of, lambda msg: odometry.process(next(stamps), ours.extract(image_of(msg)), camera)


@dataclass(frozen=True)
class RgbMessage:
    """What :func:`.image_of` reads of an image message of most cameras' drivers."""

    data: bytes
    width: int
    height: int
    step: int
    encoding: str = "rgb8"
    is_bigendian: int = 0

    @staticmethod
    def of(image: UInt8) -> RgbMessage:
        """Of a grey image (H, W)."""
        height, width = image.shape
        return RgbMessage(np.dstack([image] * 3).tobytes(), width, height, 3 * width)


def _same(image: UInt8) -> UInt8:
    return image


class OrbEssential:
    """ORB, mutual nearest neighbours and OpenCV's essential matrix: the cheapest odometry of two frames."""

    def __init__(self, budget: int, camera: Camera) -> None:
        self._orb, self._K = cv2.ORB_create(nfeatures=budget), camera.K
        self._matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
        self._last: tuple[Any, Any] | None = None

    def __call__(self, image: UInt8) -> None:
        """Motion since the image before (H, W), which is not kept."""
        keypoints, descriptors = self._orb.detectAndCompute(image, None)
        points = cv2.KeyPoint_convert(keypoints)
        last, self._last = self._last, (points, descriptors)
        if last is None or descriptors is None or last[1] is None:
            return
        matches = self._matcher.match(last[1], descriptors)
        a = np.array([last[0][m.queryIdx] for m in matches], np.float32)
        b = np.array([points[m.trainIdx] for m in matches], np.float32)
        if len(matches) >= 5:
            E, mask = cv2.findEssentialMat(a, b, self._K, cv2.RANSAC, 0.999, 1.0)
            if E is not None and E.shape == (3, 3):
                cv2.recoverPose(E, a, b, self._K, mask=mask)


def _note(row: Report, key: str, times: tuple[list[float], list[float]]) -> None:
    row["cpu_ms"][key], row["wall_ms"][key] = map(_summary, times)


def _summary(times: Sequence[float]) -> dict[str, float]:
    return {"median": float(np.median(times)), "p95": float(np.percentile(times, 95))}


def _ratios(methods: Mapping[str, Report], keys: Any, other: str) -> dict[str, float]:
    """Medians of processor time of our parts over those of another method."""
    parts = {"detector": "ours_detector", "descriptor": "ours_descriptor", "extractor": "ours"}
    return {
        f"{part}_{key}": methods[name]["cpu_ms"][key]["median"] / methods[other]["cpu_ms"][key]["median"]
        for key in keys
        for part, name in parts.items()
    }
