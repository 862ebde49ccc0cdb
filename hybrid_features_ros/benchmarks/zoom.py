# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The zoom benchmark: what both views show is up to four times as large in the first one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hybrid_features_ros.benchmarks import POSE_BUDGET
from hybrid_features_ros.benchmarks.agreement import RADIUS_PX
from hybrid_features_ros.benchmarks.blur import matching
from hybrid_features_ros.features import Extractor
from hybrid_features_ros.io.pairs import PosedPair

ZOOMS = (1.5, 2.0, 3.0, 4.0)
PROTOCOL = {
    "views": "neighbouring views of rendered scenes, the first one through a longer lens",
    "zoom": "ratio of the focal lengths",
    "matches": "mutual nearest neighbours of the descriptors",
    "correct": f"matches within {RADIUS_PX:g} px in the second view of where the depth of the first says",
    "distinct": f"correct ones at places of the first view more than {RADIUS_PX:g} px apart (greedy)",
    "mma1": "share of the matches within 1 px",
}


def bench_zoom(
    extractors: dict[str, Extractor], pairs: Callable[[float], Iterable[PosedPair]], budget: int = POSE_BUDGET
) -> dict[str, Any]:
    """Means over the pairs for every zoom, as the JSON of the command.

    Args:
        pairs: makes the pairs of a zoom.
    """
    rows = [matching(extractors, pairs(zoom), budget) for zoom in ZOOMS]
    return {
        "protocol": {**PROTOCOL, "keypoints": budget},
        "methods": {
            name: {
                "zoom": list(ZOOMS),
                **{key: [row[name][key] for row in rows] for key in ("correct", "distinct", "mma1")},
            }
            for name in extractors
        },
    }
