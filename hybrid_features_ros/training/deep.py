# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A deep detector that turns with its image: steerable layers, one on the fields of the other.

**Fields.** What passes from layer to layer are scalar fields: numbers at every pixel that move and turn with
the image and do not change otherwise. A layer filters all of them with circular harmonics of orders 0, 1
and 2 (:func:`.harmonics`; the radial profile of each pair of fields is learnt), which gives scalars, vectors
and double-angle vectors. Their lengths are scalars again, and a 1x1 convolution with a rectifier blends
scalars and lengths into the correction of each field (Worrall et al., "Harmonic networks", 2017; Weiler and
Cesa, "General E(2)-equivariant steerable CNNs", 2019). The first layer sees the image: what it passes on are
signed logarithms of sums of energies, so that a gain of the image hardly matters.

**Equivariance.** Quarter turns and mirror images are exact, since the grid has them and borders are
mirrored; whole-pixel shifts are, since no layer has a stride; for other angles it holds as far as the
kernels are sampled finely enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, relu

from hybrid_features_ros.features.pyramid import gauss
from hybrid_features_ros.features.steerable import RADIUS, SMOOTH_RADIUS, SMOOTH_SIGMA
from hybrid_features_ros.training.network import NOISE, SteerableFilters, blurred, half_octaves

_RADIUS, _WIDTHS = 2, (0.6, 1.1)  # of the filters on fields, and of their Gaussian windows [px]
_FIRST = (4, 3, 3)  # filters of orders 0, 1 and 2 on the image
_TINY = 1e-6  # squared length below which a vector's direction says nothing
_STRENGTH = 1 / 3  # brings signed logarithms of energies to a range of about one
_ASIDE = 0.2  # weight of the other fields where the determinant of the Hessian leads
_BIAS = 0.1  # first guess of what a level is preferred to one half an octave finer


@dataclass(frozen=True)
class DeepConfig:
    """Shape of the network.

    Attributes:
        fields: that pass from layer to layer.
        layers: on fields, after the one on the image.
        filters: of orders 0, 1 and 2 in a layer.
        levels: pyramid levels that keypoints come from.
        start: "random", or "hessian": near the determinant of the Hessian, one field of the first layer.
    """

    fields: int = 8
    layers: int = 2
    filters: tuple[int, int, int] = (4, 3, 3)
    levels: int = 6
    start: str = "random"


def windowed_harmonics(order: int) -> Tensor:
    """(2, P, 5, 5): widths x parts (one of order 0, else cosine and sine) of a harmonic in Gaussian windows.

    Those of order 0 sum to 1, the others have unit response to a wave or saddle of unit strength.
    """
    y, x = np.mgrid[-_RADIUS : _RADIUS + 1, -_RADIUS : _RADIUS + 1].astype(float)
    r2, phi = x**2 + y**2, np.arctan2(y, x)
    found = []
    for width in _WIDTHS:
        window = np.exp(-r2 / (2 * width**2))
        window = r2 ** (order / 2) * window / (r2**order * window).sum()
        parts = [np.cos(order * phi), np.sin(order * phi)][: 2 if order else 1]
        found.append([(2.0 if order else 1.0) * window * part for part in parts])
    return torch.tensor(np.array(found), dtype=torch.float32)


class FieldLayer(nn.Module):
    """Fields (B, F, H, W) to fields: what they are, and a correction from their surroundings."""

    def __init__(self, fields: int, filters: tuple[int, int, int]) -> None:
        super().__init__()
        inputs = fields * len(_WIDTHS)
        self.profiles = nn.ParameterList(torch.randn(n, fields, len(_WIDTHS)) / inputs**0.5 for n in filters)
        self.mix = nn.Conv2d(sum(filters), fields, 1)
        self.out = nn.Conv2d(fields, fields, 1)
        for order in range(len(filters)):
            self.register_buffer(f"basis{order}", windowed_harmonics(order), persistent=False)

    def kernel(self) -> Tensor:
        """(C, F, 5, 5): the filters of order 0, then cosine and sine parts of those of orders 1 and 2."""
        kernels = [
            torch.einsum("ofw,wpyx->opfyx", profiles, getattr(self, f"basis{order}")).flatten(0, 1)
            for order, profiles in enumerate(self.profiles)
        ]
        return torch.cat(kernels)

    def forward(self, fields: Tensor) -> Tensor:
        """See the class."""
        responses = conv2d(pad(fields, (_RADIUS,) * 4, mode="reflect"), self.kernel())
        scalars = responses[:, : len(self.profiles[0])]
        cosines, sines = (responses[:, len(self.profiles[0]) + part :: 2] for part in (0, 1))
        lengths = torch.sqrt(cosines * cosines + sines * sines + _TINY)
        correction: Tensor = self.out(relu(self.mix(torch.cat([scalars, lengths], dim=1))))
        return fields + correction


class DeepDetector(nn.Module):
    """Level of a pyramid (B, 1, H, W) in [0, 1] to logits (B, 1, H, W) and gradients (B, 2, H, W).

    The gradient is the first filter of order 1, a vector (x, y) that turns with the image.
    """

    smooth: Tensor
    owner: Tensor

    def __init__(self, config: DeepConfig) -> None:
        super().__init__()
        self.config = config
        self.filters = SteerableFilters(_FIRST)
        self.signs = nn.Parameter(torch.randn(config.fields, len(self.filters.orders)) * 0.5)
        self.polarity = nn.Parameter(torch.randn(config.fields, self.filters.orders.count(0)) * 0.1)
        self.layers = nn.ModuleList(FieldLayer(config.fields, config.filters) for _ in range(config.layers))
        self.head = nn.Conv2d(config.fields, 1, 1, bias=False)
        nn.init.normal_(self.head.weight)
        if config.start == "hessian":
            with torch.no_grad():
                self.head.weight *= _ASIDE
                self.head.weight[:, 0] = 1.0
                self.signs[0] = torch.tensor(
                    [{0: 1 / _FIRST[0], 2: -1 / _FIRST[2]}.get(m, 0.0) for m in self.filters.orders]
                )
                self.polarity[0] = 0
        self.level_bias = nn.Parameter(_BIAS * half_octaves(config.levels))
        smooth = torch.tensor(gauss(SMOOTH_RADIUS, SMOOTH_SIGMA), dtype=torch.float32)
        self.register_buffer("smooth", smooth, persistent=False)

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """See the class; borders are mirrored."""
        responses = conv2d(pad(level, (RADIUS,) * 4, mode="reflect"), self.filters.kernel())
        energies = conv2d(responses * responses, self.signs[:, self.filters.owner][..., None, None])
        scalars = self.filters.orders.count(0)
        fields = _STRENGTH * (
            torch.asinh(energies / NOISE)
            + conv2d(torch.asinh(responses[:, :scalars] / NOISE**0.5), self.polarity[..., None, None])
        )
        for layer in self.layers:
            fields = layer(fields)
        return blurred(self.head(fields), self.smooth), responses[:, scalars : scalars + 2]
