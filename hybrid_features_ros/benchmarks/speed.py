"""The speed benchmark: detector and extractor against OpenCV's SIFT and ORB, taken in turn in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from hybrid_features_ros.core.types import UInt8
from hybrid_features_ros.features import Extractor

SIZES = {"vga": (640, 480), "hd": (1280, 720)}
ROUNDS, WARM_UP = 21, 3
BUDGET = 1000


def bench_speed(
    photo: UInt8, detect: Callable[[UInt8], Any], extractor: Extractor, yardsticks: Mapping[str, Extractor],
    threads: int,
) -> dict[str, Any]:  # fmt: skip
    """Median milliseconds and ratios to SIFT, as the JSON of the command.

    Args:
        photo: (H, W) uint8, resized to every size.
        detect: our detector alone.
        extractor: our detector and descriptor.
        yardsticks: ``sift`` among them.
        threads: that all of them were given; said in the protocol.
    """
    contestants: dict[str, Callable[[UInt8], Any]] = {
        "ours_detector": detect,
        "ours": extractor.extract,
        **{name: y.extract for name, y in yardsticks.items()},
    }
    milliseconds: dict[str, dict[str, float]] = {name: {} for name in contestants}
    ratios: dict[str, float] = {}
    for size, shape in SIZES.items():
        image = np.asarray(cv2.resize(photo, shape, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        times = _in_turn(contestants, image)
        for name, row in times.items():
            milliseconds[name][f"{size}_ms"] = float(np.median(row))
        for name, part in (("ours_detector", "detector"), ("ours", "extractor")):
            ratios[f"{part}_{size}"] = float(np.median(times[name] / times["sift"]))
    return {
        "protocol": {
            "images": {k: list(v) for k, v in SIZES.items()},
            "keypoints": BUDGET,
            "threads": threads,
            "rounds": f"median of {ROUNDS} after {WARM_UP}, all methods in turn in every round",
            "ratio": "median of the rounds' ratios to OpenCV SIFT (detection and description)",
        },
        "methods": milliseconds,
        "ratio_to_sift": ratios,
    }


def _in_turn(contestants: Mapping[str, Callable[[UInt8], Any]], image: UInt8) -> dict[str, Any]:
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(WARM_UP + ROUNDS):
        for name, work in contestants.items():
            start = perf_counter()
            work(image)
            if turn >= WARM_UP:
                times[name].append(1e3 * (perf_counter() - start))
    return {name: np.array(row) for name, row in times.items()}
