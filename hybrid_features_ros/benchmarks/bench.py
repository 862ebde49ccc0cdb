# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""All benchmarks in one run: one file of figures, and tables made from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hybrid_features_ros.benchmarks import homography, rotation, speed
from hybrid_features_ros.benchmarks.baseline_odometry import textbook_odometry
from hybrid_features_ros.benchmarks.baselines import yardstick
from hybrid_features_ros.benchmarks.tables import tables
from hybrid_features_ros.core.config import Config, FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import UInt8
from hybrid_features_ros.evaluation.evaluate import Mode, evaluate, with_mode
from hybrid_features_ros.evaluation.metrics import evaluate_trajectory
from hybrid_features_ros.features import Extractor, load_extractor, make_extractor
from hybrid_features_ros.features.extractor import extractor_arguments
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.simulation.render import render_sequence

Report = dict[str, Any]


def rotation_part(
    images: Path, extractor: str, yardsticks: Sequence[str], others: Sequence[str] = ()
) -> Report:
    """:func:`~hybrid_features_ros.benchmarks.rotation.bench_rotation` of ours, the yardsticks and others."""
    # More than are kept: those outside the disc do not count.
    found = contestants(extractor, yardsticks, 3 * rotation.BUDGET, others)
    return signed(rotation.bench_rotation(found, images), extractor)


def homography_part(dataset: Path, extractor: str, yardsticks: Sequence[str]) -> Report:
    """:func:`~hybrid_features_ros.benchmarks.homography.bench_homography` of ours and the yardsticks."""
    found = contestants(extractor, yardsticks, homography.BUDGET)
    return signed(homography.bench_homography(found, dataset), extractor)


def speed_part(photos: Sequence[UInt8], extractor: str, threads: int = 1) -> Report:
    """:func:`~hybrid_features_ros.benchmarks.speed.bench_speed` of ours and the yardsticks on photographs
    (H, W), grey.

    Raises:
        InputError: ours is ``sift``, whose detector cannot be timed alone.
    """
    if extractor == "sift":
        raise InputError("speed: sift is the yardstick; choose --extractor strek or hybrid")
    return signed(speed.bench_speed(photos, extractor, threads), extractor)


def odometry_part(folder: Path, config: Config, every: int = 1) -> Report:
    """Ours and the textbook's odometry on the rendered room, with one camera and with depth.

    Args:
        folder: where the room is rendered to; what is there already is used again.
        every: use every N-th frame.
    """
    source = open_source(render_sequence(folder))
    truth = source.ground_truth
    if truth is None:
        raise InputError(f"{folder}: the rendered sequence lost its groundtruth.txt; delete the folder")
    methods: Report = {}
    modes: tuple[Mode, ...] = ("mono", "rgbd")
    for mode in modes:
        ours = evaluate(source, with_mode(config, mode), slice(None, None, every))
        other = textbook_odometry(source, every, depth=mode == "rgbd")
        metrics = evaluate_trajectory(
            other, truth, alignment="sim3" if mode == "mono" else "se3", delta_frames=max(1, 30 // every)
        )
        methods[mode] = {"ours": _figures(ours.report), "textbook": _figures(asdict(metrics))}
    protocol = {
        "sequence": f"{source.name}, rendered with exact truth, {len(source.stamps[::every])} frames",
        "every": every,
        "textbook": "SIFT, matches of neighbouring frames, OpenCV's essential matrix or PnP (RANSAC)",
        "alignment": "mono sim3, rgbd se3",
        "relative errors": f"over {max(1, 30 // every)} frames",
    }
    return signed({"protocol": protocol, "methods": methods}, config.features.extractor)


def bench_all(parts: Mapping[str, Callable[[], Report]], out: Path) -> Report:
    """Run the parts one after another; ``out/bench.json`` and ``out/bench.md`` are written after each.

    Figures of other parts that ``bench.json`` holds already stay, so that parts may be run one by one. A
    part that lacks something says so under ``skipped``.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = out / "bench.json"
    report: Report = json.loads(file.read_text()) if file.exists() else {}
    for name, part in parts.items():
        skipped = report.setdefault("skipped", {})
        try:
            report[name] = part()
            skipped.pop(name, None)
        except InputError as error:
            skipped[name] = str(error)
        file.write_text(json.dumps(report, indent=1) + "\n")
        (out / "bench.md").write_text("\n\n".join(tables(report).values()) + "\n")
    return report


def contestants(
    extractor: str, yardsticks: Sequence[str], budget: int, others: Sequence[str] = ()
) -> dict[str, Extractor]:
    """``ours``, the yardsticks and others by ``package.module:Class`` or ``package.module:Class={...}``, the
    latter with further arguments as a YAML mapping; ``budget``: their most keypoints.
    """
    ours = make_extractor(FeatureConfig(extractor=extractor, max_keypoints=budget))
    return {
        "ours": ours,
        **{name: yardstick(name, budget) for name in yardsticks},
        **dict(_other(name, budget) for name in others),
    }


def _other(text: str, budget: int) -> tuple[str, Extractor]:
    name, _, options = text.partition("=")
    short = text[name.rindex(":") + 1 :] if ":" in name else text
    return short, load_extractor(name, budget, **extractor_arguments(options))


def signed(report: Report, extractor: str) -> Report:
    """The report with what it was measured with in its protocol."""
    report["protocol"] |= {
        "ours": extractor,
        "opencv": cv2.__version__,
        "numpy": np.__version__,
        "opencv_threads": cv2.getNumThreads(),
    }
    return report


def _figures(report: Mapping[str, Any]) -> Report:
    names = ("ate_rmse_m", "rpe_trans_30f_median_m", "rot_rpe_30f_median_deg", "rot_rpe_30f_p95_deg")
    return {name: report[name] for name in names}
