# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Keypoints drawn one after another, and the probability of having drawn just these.

Draw a pixel from the softmax over all that are still allowed, forbid the disc around it, renormalise, and
go on. Adding Gumbel noise to the logits once and taking maxima greedily draws from the same distribution
(Gumbel-max: the largest of ``logit + noise`` is a draw from the softmax, and it stays one when the forbidden
pixels leave the race), so that the whole sequence is one suppression of a noisy map. The map may have
several levels: one race, but a disc forbids pixels of its own level only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hybrid_features_ros.core.types import Float32
from hybrid_features_ros.features.selection import disc, suppress


@dataclass(frozen=True)
class Draw:
    """A drawn sequence of N keypoints.

    Attributes:
        level, row, column: (N,) in the order of drawing.
        turn_of_death: per level (H, W) int64, in which turn a pixel was forbidden, N = never.
    """

    level: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    turn_of_death: list[NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.level)


def draw(
    logits: Sequence[Float32],
    count: int,
    radius: int,
    rng: np.random.Generator,
    *,
    independent: bool = False,
) -> Draw:
    """Draw up to ``count`` keypoints.

    Args:
        logits: per level (H, W).
        radius: of the forbidden disc [px of the level].
        independent: forbid nothing but the drawn pixel itself (for the ablation).
    """
    noisy = [(x + rng.gumbel(size=x.shape)).astype(np.float32) for x in logits]
    taken = [np.isfinite(x) if independent else suppress(x, radius) for x in noisy]
    places = [np.argwhere(t) for t in taken]
    level = np.repeat(np.arange(len(logits)), [len(p) for p in places])
    where = np.concatenate(places)
    values = np.concatenate([x[t] for x, t in zip(noisy, taken, strict=True)])
    order = np.argsort(-values, kind="stable")[:count]
    level, (row, column) = level[order], where[order].T
    kernel = disc(0 if independent else radius)
    deaths = [_turn_of_death(x.shape, row, column, level == i, kernel) for i, x in enumerate(logits)]
    return Draw(level, row, column, deaths)


def log_probability(logits: Sequence[Tensor], drawn: Draw) -> Tensor:
    """(N,) logarithm of the probability of each draw given those before it; differentiable.

    Args:
        logits: per level (H, W), the ones that were drawn from.
    """
    n = len(drawn)
    flat = torch.cat([x.reshape(-1) for x in logits]).double()  # exp of sharp logits leaves float32
    death = torch.from_numpy(np.concatenate([d.ravel() for d in drawn.turn_of_death]))
    top = flat.detach().max()
    mass = torch.zeros(n + 1, dtype=flat.dtype).index_add(0, death, torch.exp(flat - top))
    allowed = torch.flip(torch.cumsum(torch.flip(mass, [0]), 0), [0])[:n]  # before each turn
    starts = np.cumsum([0, *(x.numel() for x in logits)])[drawn.level]
    widths = np.array([x.shape[1] for x in logits])[drawn.level]
    chosen = flat[torch.from_numpy(starts + drawn.row * widths + drawn.column)]
    return chosen - top - torch.log(allowed)


def _turn_of_death(
    shape: tuple[int, ...], row: NDArray[np.int64], column: NDArray[np.int64], mine: NDArray[np.bool_],
    kernel: NDArray[np.uint8],
) -> NDArray[np.int64]:  # fmt: skip
    n = len(row)
    urgency = np.zeros(shape, np.float32)  # n for the first turn, 1 for the last, 0 = not drawn
    urgency[row[mine], column[mine]] = n - np.flatnonzero(mine)
    return np.asarray(n - np.rint(cv2.dilate(urgency, kernel)), dtype=np.int64)
