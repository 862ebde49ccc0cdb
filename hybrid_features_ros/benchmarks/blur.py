# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The blur benchmark: one view sharp, the other one smeared by motion or taken in little light."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from hybrid_features_ros.benchmarks import POSE_BUDGET
from hybrid_features_ros.benchmarks.agreement import RADIUS_PX
from hybrid_features_ros.benchmarks.pose import best, judge
from hybrid_features_ros.features import Extractor
from hybrid_features_ros.io.pairs import PosedPair

BLURS_PX = (0, 5, 10, 15, 20, 25)
LIGHTS = (1.0, 1 / 4, 1 / 12)
PROTOCOL = {
    "views": "neighbouring views of rendered scenes, the first one sharp",
    "blur_px": "length of the smear of the second view, along a random direction",
    "light": "share of the light in the second view, with the shot noise of 4 electrons per grey level",
    "matches": "mutual nearest neighbours of the descriptors",
    "correct": f"matches within {RADIUS_PX:g} px of where the depth of the first view puts them",
    "distinct": f"correct ones at places of the first view more than {RADIUS_PX:g} px apart (greedy)",
    "mma1": "share of the matches within 1 px",
}


def bench_blur(
    extractors: dict[str, Extractor],
    pairs: Callable[[float, float], Iterable[PosedPair]],
    budget: int = POSE_BUDGET,
) -> dict[str, Any]:
    """Means over the pairs for every length of blur and every share of light, as the JSON of the command.

    Args:
        pairs: makes the pairs of a blur [px] and a share of light.
    """
    blurred = [matching(extractors, pairs(float(b), 1.0), budget) for b in BLURS_PX]
    dark = [matching(extractors, pairs(0.0, light), budget) for light in LIGHTS]
    return {
        "protocol": {**PROTOCOL, "keypoints": budget},
        "methods": {
            name: {
                "blur_px": list(BLURS_PX),
                **_columns([row[name] for row in blurred], ""),
                "light": list(LIGHTS),
                **_columns([row[name] for row in dark], "light_"),
            }
            for name in extractors
        },
    }


def matching(
    extractors: dict[str, Extractor], pairs: Iterable[PosedPair], budget: int
) -> dict[str, dict[str, float]]:
    """Mean correct and distinct matches and share of exact ones of every extractor over some pairs."""
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in extractors}
    for pair in pairs:
        for name, extractor in extractors.items():
            a, b = (best(extractor.extract(image), budget) for image in (pair.image_a, pair.image_b))
            result = judge(a, b, pair, ratio=1.0)
            rows[name].append((result.correct, result.distinct, result.mma1))
    return {
        name: dict(zip(("correct", "distinct", "mma1"), np.mean(found, axis=0).tolist(), strict=True))
        for name, found in rows.items()
    }


def _columns(rows: Sequence[dict[str, float]], prefix: str) -> dict[str, list[float]]:
    return {f"{prefix}{key}": [row[key] for row in rows] for key in ("correct", "distinct", "mma1")}
