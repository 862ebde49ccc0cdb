# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What it costs to turn features into a message and back, beside filling the arrays element by element.

Run with ``hybrid-features bench messages``.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from std_msgs.msg import Header

from hybrid_features_ros.core.types import DescriptorFormat, Features
from hybrid_features_ros.msg import FeatureArray
from hybrid_features_ros.nodes.conversions import features_from_msg, features_to_msg

KEYPOINTS, DIMENSION, ROUNDS = 1000, 128, 51
YARDSTICK = "yardstick: descriptors assigned as a list"


def bench_messages() -> dict[str, Any]:
    """Median milliseconds of every conversion, and their share of the yardstick's."""
    rng = np.random.default_rng(0)
    row = rng.random(KEYPOINTS, dtype=np.float32)
    features = Features(
        points=rng.random((KEYPOINTS, 2), dtype=np.float32),
        scores=row, scales=row, angles=row, sigmas=row,
        descriptors=rng.random((KEYPOINTS, DIMENSION), dtype=np.float32),
        format=DescriptorFormat("bench", "bench"), width=640, height=480,
    )  # fmt: skip
    message = features_to_msg(features, Header())
    times = {
        "features to message": _median(lambda: features_to_msg(features, Header())),
        "message to features": _median(lambda: features_from_msg(message)),
        YARDSTICK: _median(
            lambda: FeatureArray(descriptors=features.descriptors.view(np.uint8).ravel().tolist())
        ),
    }
    return {
        "protocol": {"keypoints": KEYPOINTS, "descriptor": f"{DIMENSION} x float32", "rounds": ROUNDS},
        "methods": {k: {"ms": t, "of_yardstick": t / times[YARDSTICK]} for k, t in times.items()},
    }


def _median(work: Callable[[], Any]) -> float:
    spent = []
    for _ in range(ROUNDS):
        start = perf_counter()
        work()
        spent.append(1e3 * (perf_counter() - start))
    return float(np.median(spent))
