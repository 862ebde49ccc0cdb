# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One palette for figures, report, Rerun and the nodes' picture.

Okabe and Ito's colours, which colour-blind readers can tell apart.
"""

from __future__ import annotations

from hybrid_features_ros.core.types import State

INK, GREY = "#222222", "#8c8c8c"
BLUE, SKY, GREEN, YELLOW, ORANGE, RED, PINK = (
    "#0072b2", "#56b4e9", "#009e73", "#f0e442", "#e69f00", "#d55e00", "#cc79a7",
)  # fmt: skip
STATE_COLOURS = {
    State.WAITING: "#d9d9d9",
    State.INITIALIZING: SKY,
    State.TRACKING: GREEN,
    State.ROTATION_ONLY: ORANGE,
    State.DEGRADED: YELLOW,
    State.LOST: RED,
    State.RECOVERING: PINK,
}
# On images, which are dark and bright: of features that agree with the motion, others, and their tracks.
INLIER, OUTLIER, TRACK, HORIZON = "#3cdc5a", "#fa9628", "#3cc8ff", "#ffa000"


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue in 0 ... 255 of ``#rrggbb``."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def bgr(colour: str) -> tuple[int, int, int]:
    """Blue, green and red in 0 ... 255 of ``#rrggbb``: OpenCV's order."""
    red, green, blue = rgb(colour)
    return blue, green, red
