# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Keypoints drawn one after another, and the probability of having drawn just these.

Draw a pixel from the softmax over all that are still allowed, forbid the disc around it, renormalise, and
go on. Adding Gumbel noise to the logits once and taking maxima greedily draws from the same distribution
(Gumbel-max: the largest of ``logit + noise`` is a draw from the softmax, and it stays one when the forbidden
pixels leave the race), so that the whole sequence is one suppression of a noisy map. The map may have
several levels: one race, in which a keypoint forbids its disc on its own level and, on all of them, what is
closer than ``apart``. The finished detector suppresses in the same way: without that, a blob is drawn on two
or three levels, and each of these doubles earns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hybrid_features_ros.core.types import Float32, Rows

_FIRST = 8  # times as many pixels are looked at first as are to be drawn
_FARTHEST = 600.0  # logit whose exponential is still a number of 64 bits, and its inverse
_MARGIN = 5  # around a level, so that discs need no clipping [px]; greater than any disc


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
    rng: np.random.Generator | None,
    *,
    apart: float = 0.0,
    independent: bool = False,
) -> Draw:
    """Draw up to ``count`` keypoints.

    Args:
        logits: per level (H, W), finest first.
        radius: of the forbidden disc [px of the level].
        rng: None: take the greatest logits, as the finished detector does.
        apart: distance of another level's forbidden pixels [px of the first level]; 0 = none.
        independent: forbid nothing but the drawn pixel itself (for the ablation).
    """
    noisy = [x if rng is None else x + rng.gumbel(size=x.shape) for x in logits]
    values = np.concatenate([x.ravel() for x in noisy])
    race = _Race([x.shape for x in noisy], 0 if independent else radius, 0.0 if independent else apart)
    looked_at = _FIRST * count
    while True:
        best = np.argsort(-values)[:looked_at] if looked_at >= len(values) else _greatest(values, looked_at)
        places, deaths = race.run(best, count)
        if len(places) == count or looked_at >= len(values):
            return Draw(places[:, 0], places[:, 1], places[:, 2], deaths)
        looked_at *= 4


def _greatest(values: NDArray[np.float64], most: int) -> Rows:
    """Rows of the greatest values, the greatest first."""
    rows = np.argpartition(-values, most)[:most]
    return rows[np.argsort(-values[rows])]


class _Race:
    """Pixels of several levels, each taken if none before it has forbidden it.

    Args:
        shapes: of the levels, finest first.
        radius, apart: see :func:`draw`.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], radius: int, apart: float) -> None:
        self._sizes = np.array(shapes)
        self._widths = self._sizes[:, 1] + 2 * _MARGIN
        areas = (self._sizes[:, 0] + 2 * _MARGIN) * self._widths
        self._firsts = np.concatenate([[0], np.cumsum(areas)])
        self._starts = np.concatenate([[0], np.cumsum(self._sizes.prod(axis=1))])
        shrink = np.sqrt(self._sizes.prod(axis=1) / self._sizes[0].prod())
        discs = [[self._disc(j, radius + 0.5 if i == j else apart * shrink[j]) for j in range(len(shapes))]
                 for i in range(len(shapes))]  # fmt: skip
        if not apart:
            discs = [[d if i == j else d[:0] for j, d in enumerate(row)] for i, row in enumerate(discs)]
        self._discs = [np.concatenate(row) for row in discs]
        self._owners = [np.repeat(np.arange(len(shapes)), [len(d) for d in row]) for row in discs]

    def _disc(self, level: int, reach: float) -> Rows:
        """What to add to the index of a pixel for those within ``reach`` of it."""
        y, x = np.mgrid[-_MARGIN : _MARGIN + 1, -_MARGIN : _MARGIN + 1]
        inside = x**2 + y**2 <= reach**2
        return np.asarray(y[inside] * self._widths[level] + x[inside])

    def run(self, pixels: Rows, count: int) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """Level, row and column (N, 3) of the first ``count`` that are taken of some pixels, in their order;
        and per level the turn in which each pixel was forbidden, N = never.
        """
        level = np.searchsorted(self._starts, pixels, side="right") - 1
        row, column = np.divmod(pixels - self._starts[level], self._sizes[level, 1])
        places = np.stack([level, row, column], axis=1)
        shares = (places[:, None, 1:] + 0.5) / self._sizes[level][:, None]
        there = np.rint(shares * self._sizes - 0.5).astype(np.int64).clip(0, self._sizes - 1) + _MARGIN
        centres = self._firsts[:-1] + there[..., 0] * self._widths + there[..., 1]
        death = np.full(self._firsts[-1], count, np.int64)
        taken: list[int] = []
        for k, (own, at) in enumerate(zip(level.tolist(), centres, strict=True)):
            if death[at[own]] == count:
                hit = at[self._owners[own]] + self._discs[own]
                death[hit[death[hit] == count]] = len(taken)
                taken.append(k)
                if len(taken) == count:
                    break
        death[death == count] = len(taken)
        maps = [
            death[a:b].reshape(-1, w)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
            for a, b, w in zip(self._firsts, self._firsts[1:], self._widths, strict=False)
        ]
        return places[taken], maps


def from_middle(flat: Tensor, death: Tensor, turns: int) -> Tensor:
    """Logits (P,) less the greatest that is left in the middle turn of a sequence, within what has an
    exponential: those of the first turns may exceed the others by any amount.

    Args:
        death: (P,) turn in which each pixel was forbidden.
    """
    return (flat - flat[death >= turns // 2].max()).clamp(-_FARTHEST, _FARTHEST)


class _LogProbability(torch.autograd.Function):
    """(N,) logarithms of probabilities from all logits (P,) in float64; what a pixel's logit contributes to
    the sum over the turns in which it could still be drawn is one number, so that is what the backward pass
    adds up.
    """

    @staticmethod
    def forward(ctx: Any, flat: Tensor, death: Tensor, chosen: Tensor) -> Tensor:
        n = len(chosen)
        flat = from_middle(flat, death, n)
        likely = torch.exp(flat)
        mass = torch.bincount(death, likely, minlength=n + 1)
        allowed = torch.flip(torch.cumsum(torch.flip(mass, [0]), 0), [0])[:n]  # before each turn
        ctx.save_for_backward(likely, allowed, death, chosen)
        return flat[chosen] - torch.log(allowed)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        likely, allowed, death, chosen = ctx.saved_tensors
        (gradient,) = gradients
        until = torch.cumsum(gradient / allowed, 0)
        found = -likely * torch.cat([until, until[-1:]])[death]
        return found.index_add(0, chosen, gradient), None, None


def log_probability(logits: Sequence[Tensor], drawn: Draw) -> Tensor:
    """(N,) logarithm of the probability of each draw given those before it; differentiable.

    Args:
        logits: per level (H, W), the ones that were drawn from.
    """
    flat = torch.cat([x.reshape(-1) for x in logits]).double()  # exp of sharp logits leaves float32
    death = torch.from_numpy(np.concatenate([d.ravel() for d in drawn.turn_of_death]))
    starts = np.cumsum([0, *(x.numel() for x in logits)])[drawn.level]
    widths = np.array([x.shape[1] for x in logits])[drawn.level]
    chosen = torch.from_numpy(starts + drawn.row * widths + drawn.column)
    found: Tensor = _LogProbability.apply(flat, death, chosen)
    return found
