# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How uncertain draws are, held, whatever the network does with the scale of its logits.

The steepest way to more reward is a greater scale: draws come nearer to the best keypoints, which do not
change by that, and soon nothing else is tried. So the scale is taken out of the network's hands: logits are
multiplied by what gives a sequence of draws its mean entropy, and the gradient knows of it (implicit
differentiation): what it could gain by sharper draws is projected out. It is the mean over *all* turns of the
sequence, not the entropy of the first draw, which a few outstanding pixels decide: where these are held at
1.5 nat, what is drawn after them can be as good as uniform.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hybrid_features_ros.training.sampling import Draw, from_middle

_LOG_SCALES = (-5.0, 5.0)  # least and greatest logarithm of the scale, over that of the logits' deviation
_HALVINGS = 20  # of that interval


def tempered(logits: Sequence[Tensor], uncertainty: float, best: Draw) -> list[Tensor]:
    """Logits (H, W) of all levels times what gives draws a mean entropy [nat]; differentiable.

    Args:
        best: the sequence of greatest logits, on whose turns the entropy is taken.
    """
    flat = torch.cat([x.reshape(-1) for x in logits])
    scaled = _Tempered.apply(flat, deaths(best), len(best), uncertainty)
    parts = torch.split(scaled, [x.numel() for x in logits])
    return [part.reshape(x.shape) for part, x in zip(parts, logits, strict=True)]


def mean_entropy(logits: Sequence[Tensor], drawn: Draw) -> float:
    """Mean over the turns of a sequence of the entropy of what was drawn then [nat]."""
    flat = torch.cat([x.detach().reshape(-1) for x in logits]).double()
    return float(_turns(flat - flat.max(), deaths(drawn), len(drawn))[1].mean())


def deaths(drawn: Draw) -> Tensor:
    """(P,) in which turn each pixel of all levels was forbidden, as many as there are draws = never."""
    return torch.from_numpy(np.concatenate([d.ravel() for d in drawn.turn_of_death]))


class _Tempered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, flat: Tensor, death: Tensor, turns: int, uncertainty: float) -> Tensor:
        x = flat.double()
        away = (x - x.median()).abs()
        deviation = float(torch.maximum(away.median(), 1e-3 * away.mean())) + 1e-12
        low, high = _LOG_SCALES
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            found = _turns(x * (math.exp(middle) / deviation), death, turns)[1].mean()
            low, high = (middle, high) if found > uncertainty else (low, middle)
        ctx.scale, ctx.turns = math.exp(low) / deviation, turns
        ctx.save_for_backward(flat, death)
        scaled: Tensor = flat * ctx.scale
        return scaled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        flat, death = ctx.saved_tensors
        x, gradient = flat.double(), gradients[0].double()
        y = x * ctx.scale
        mass, entropies = _turns(y, death, ctx.turns)
        y = from_middle(y, death, ctx.turns)
        sums = torch.cumsum(torch.stack([1 / mass, (entropies - torch.log(mass)) / mass]), 1)
        last = death.clamp(max=ctx.turns - 1)
        held = -torch.exp(y) * (y * sums[0][last] + sums[1][last])  # of the mean entropy, times the turns
        sharper = (gradient @ x) / (held @ x)
        return (ctx.scale * (gradient - sharper * held)).to(flat.dtype), None, None, None


def _turns(y: Tensor, death: Tensor, turns: int) -> tuple[Tensor, Tensor]:
    """Sum of exp(y) over what may still be drawn, y as :func:`from_middle` has it, and the entropy of that
    draw, of every turn (N,).
    """
    y = from_middle(y, death, turns)
    likely = torch.exp(y)
    mass, weighted = (torch.bincount(death, w, minlength=turns + 1) for w in (likely, y * likely))
    mass, weighted = (torch.flip(torch.cumsum(torch.flip(s, [0]), 0), [0])[:turns] for s in (mass, weighted))
    return mass, torch.log(mass) - weighted / mass
