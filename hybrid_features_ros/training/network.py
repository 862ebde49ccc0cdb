# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The S-TREK detector of this package: a steerable network, equivariant to every rotation.

**Filters.** A filter of order m is ``w(r) cos(m phi)`` with its partner ``w(r) sin(m phi)``; together they
are the real and the imaginary part of a response z that turns by ``exp(i m theta)`` when the image turns
by theta (Worrall et al., "Harmonic networks", 2017; Weiler and Cesa, "General E(2)-equivariant steerable
CNNs", 2019). The radial profile w is a learnt blend of Gaussian-windowed powers; its weights are real,
which makes mirror images equivariant too. The group is therefore O(2), larger than any C_n.

**Nonlinearity.** ``|z|^2`` does not change under rotation at all. Learnt signed sums of these energies,
``q = s_1 |z_1|^2 + s_2 |z_2|^2 + ...``, are rectified and their logarithms blended into the logit, so that

    exp(logit) = product over k of (floor_k + max(q_k, 0)) ** v_k.

Where the q lie above their floors, a gain of the image multiplies all by one factor, which the softmax over
pixels does not see; the floors are what the network takes for noise. The determinant of the Hessian,
``q = |z_0|^2 - |z_2|^2`` with one factor, is a member of this family and next to where training starts.

**Inference.** The filters are evaluated once; what is exported as ONNX is one plain 7x7 convolution, two 1x1
ones and a blur. No layer has a stride, and borders are mirrored. With OpenCV,
:mod:`hybrid_features_ros.features.steerable` computes the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from hybrid_features_ros.features.pyramid import BLUR, FINEST_BLUR, gauss
from hybrid_features_ros.features.steerable import (
    RADIUS,
    SMOOTH_RADIUS,
    SMOOTH_SIGMA,
    WIDTHS,
    harmonics,
)

NOISE = 1e-5  # first guess of the floors: squared response to noise of a grey level


SHARPNESS = 6.0  # first guess of the exponent: draws near enough to the maxima that it is these that compete

_ASIDE = 0.02  # share of the exponents' sum of each factor beside the determinant: none is out of reach
LEVEL_BIAS = 1.0  # first guess, of half an octave: coarse levels have less noise


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network.

    Attributes:
        channels: number of complex filters of each order 0, 1, 2, ...
        factors: number of signed energies.
        levels: pyramid levels that keypoints come from.
        filters: "steerable", or "free" 7x7 kernels in the same number, which no symmetry binds (ablation).
        start: at the determinant of the "hessian", or "random".
    """

    channels: tuple[int, ...] = (2, 2, 3, 2)
    factors: int = 6
    levels: int = 6
    filters: str = "steerable"
    start: str = "hessian"


class SteerableFilters(nn.Module):
    """Learnt radial profiles times circular harmonics, as one kernel (C, 1, 7, 7).

    Args:
        channels: number of filters of each order; an order above 0 takes two channels.
    """

    basis: Tensor
    owner: Tensor

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.orders = [m for m, n in enumerate(channels) for _ in range(n)]
        self.profiles = nn.Parameter(torch.randn(len(self.orders), len(WIDTHS)) * 0.02 + 1 / len(WIDTHS))
        basis = torch.tensor(np.array([harmonics(m) for m in self.orders]), dtype=torch.float32)
        self.register_buffer("basis", basis, persistent=False)
        sizes = torch.tensor([2 if m else 1 for m in self.orders])
        self.register_buffer(
            "owner", torch.repeat_interleave(torch.arange(len(sizes)), sizes), persistent=False
        )

    def kernel(self) -> Tensor:
        """(C, 1, 7, 7): for each filter the cosine part, then (orders above 0) the sine part."""
        both = torch.einsum("cj,cjpyx->cpyx", self.profiles, self.basis)
        scalar = self.orders.count(0)
        return torch.cat([both[:scalar, 0], both[scalar:].flatten(0, 1)])[:, None]


class FreeFilters(nn.Module):
    """As many filters as :class:`SteerableFilters` has, each pixel of them free: what symmetry is worth."""

    owner: Tensor

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.orders = [m for m, n in enumerate(channels) for _ in range(n)]
        sizes = torch.tensor([2 if m else 1 for m in self.orders])
        self.register_buffer(
            "owner", torch.repeat_interleave(torch.arange(len(sizes)), sizes), persistent=False
        )
        side = 2 * RADIUS + 1
        self.kernels = nn.Parameter(torch.randn(int(sizes.sum()), 1, side, side) / side**2)

    def kernel(self) -> Tensor:
        """(C, 1, 7, 7), each of zero mean."""
        return self.kernels - self.kernels.mean(dim=(2, 3), keepdim=True)


class Detector(nn.Module):
    """Level of a pyramid (B, 1, H, W) in [0, 1] to logits (B, 1, H, W) and gradients (B, 2, H, W).

    The gradient is the first filter of order 1, a vector (x, y) that turns with the image.
    """

    smooth: Tensor
    filters: SteerableFilters | FreeFilters

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        steerable = config.filters == "steerable"
        self.filters = SteerableFilters(config.channels) if steerable else FreeFilters(config.channels)
        signs = torch.randn(config.factors, len(self.filters.orders)) * 0.3
        exponents = torch.full((config.factors,), SHARPNESS / config.factors)
        if config.start == "hessian":
            hessian = {0: 1 / config.channels[0], 2: -1 / config.channels[2]}
            signs[0] = torch.tensor([hessian.get(m, 0.0) for m in self.filters.orders])
            share = torch.full((config.factors,), _ASIDE)
            share[0] = 1 - _ASIDE * (config.factors - 1)
            exponents = SHARPNESS * share
        self.signs = nn.Parameter(signs)
        self.floors = nn.Parameter(torch.full((config.factors,), float(np.log(NOISE))))
        self.exponents = nn.Parameter(exponents)
        self.level_bias = nn.Parameter(LEVEL_BIAS * half_octaves(config.levels))
        smooth = torch.tensor(gauss(SMOOTH_RADIUS, SMOOTH_SIGMA), dtype=torch.float32)
        self.register_buffer("smooth", smooth, persistent=False)

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """See the class; borders are mirrored."""
        return self.padded(pad(level, (RADIUS,) * 4, mode="reflect"))

    def pruned(self, least: float) -> Detector:
        """The network without the factors whose exponent is below ``least`` times the sum of all."""
        keep = self.exponents > least * self.exponents.sum()
        model = Detector(replace(self.config, factors=int(keep.sum())))
        state = self.state_dict()
        for name in ("signs", "floors", "exponents"):
            state[name] = state[name][keep]
        model.load_state_dict(state)
        return model

    def padded(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """The same for a level that the caller has padded by ``RADIUS`` mirrored pixels."""
        responses = conv2d(level, self.filters.kernel())
        energies = conv2d(responses * responses, self.signs[:, self.filters.owner][..., None, None])
        factors = torch.log(torch.relu(energies) + torch.exp(self.floors)[:, None, None])
        logits = conv2d(factors, self.exponents[None, :, None, None])
        first = self.filters.orders.count(0)
        return blurred(logits, self.smooth), responses[:, first : first + 2]


def half_octaves(levels: int) -> Tensor:
    """(levels,) by how many half octaves a level is more blurred than the finest: 0, 2, 3, 4, ..."""
    steps = torch.arange(float(levels))
    return steps + (steps > 0) * (2 * float(np.log2(BLUR / FINEST_BLUR)))


def blurred(maps: Tensor, window: Tensor) -> Tensor:
    """Separable blur of (B, 1, H, W); borders are mirrored."""
    padded = pad(maps, (SMOOTH_RADIUS,) * 4, mode="reflect")
    return conv2d(conv2d(padded, window[None, None, None]), window[None, None, :, None])
