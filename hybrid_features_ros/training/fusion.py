# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The hybrid descriptor: a handcrafted half, projected, beside a learnt residue.

"Residual learning for image point descriptors" (2023): keep what SIFT knows and let a light network learn
only what it lacks. Both halves see the same patch, turned upright and sized by the keypoint, and the residue
sees a wider one, too, turned and sized alike, so that it is as indifferent to rotation as SIFT is:

    descriptor = unit( [ MLP(RootSIFT(patch)), CNN(patch) + CNN'(wider patch) ] ).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float32
from hybrid_features_ros.features import rootsift, surf
from hybrid_features_ros.features.patches import SIDE

HANDCRAFTED = {"rootsift": (rootsift.describe_patches, 128), "surf": (surf.describe_patches, 64)}


@dataclass(frozen=True)
class FusionConfig:
    """Shape of the descriptor.

    Attributes:
        handcrafted: "rootsift", "surf" or "none".
        residue: "trained", "frozen" (an untrained CNN, for the ablation) or "none".
        dimension: of the descriptor; the halves share it equally.
        hidden: width of the MLP.
        channels, kernels, strides: of the convolutions of a patch, first to last. One whose kernel is its
            stride sees each part of the patch once, without a border; others have a border of zeros.
        context: levels of the pyramid between a keypoint's patch and the wider one that the CNN sees, too;
            0 = it sees none.
    """

    handcrafted: str = "rootsift"
    residue: str = "trained"
    dimension: int = 128
    hidden: int = 192
    channels: tuple[int, ...] = (16, 32)
    kernels: tuple[int, ...] = (4, 3)
    strides: tuple[int, ...] = (4, 2)
    context: int = 3

    @property
    def coarser(self) -> tuple[int, ...]:
        """Levels between a keypoint's and those of its patches."""
        return (0, self.context) if self.context else (0,)


class HybridDescriptor(nn.Module):
    """Patches (N, K, SIDE, SIDE), one for each of ``config.coarser``, and handcrafted descriptors (N, H) to
    unit descriptors (N, dimension).

    Raises:
        InputError: no such part, or neither half.
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        parts = (config.handcrafted != "none") + (config.residue != "none")
        if not parts or config.handcrafted not in (*HANDCRAFTED, "none"):
            raise InputError(
                f"descriptor of {config.handcrafted!r} and residue {config.residue!r}: choose from "
                f"{', '.join(HANDCRAFTED)}, none; and leave at least one half"
            )
        width = config.dimension // parts
        self.mlp = self.cnn = None
        if config.handcrafted != "none":
            self.mlp = _mlp(HANDCRAFTED[config.handcrafted][1], config.hidden, width)
        if config.residue != "none":
            self.cnn = _cnn(config, width).requires_grad_(config.residue == "trained")

    def forward(self, patches: Tensor, handcrafted: Tensor) -> Tensor:
        """See the class."""
        gain = handcrafted.shape[1] ** 0.5  # elements of a unit vector to elements of unit variance
        halves = [] if self.mlp is None else [self.mlp(gain * handcrafted)]
        if self.cnn is not None:
            halves.append(self.cnn(_even_light(patches)))
        return normalize(torch.cat(halves, dim=1), dim=1)


def handcrafted(config: FusionConfig, patches: Float32) -> Float32:
    """The handcrafted descriptors (N, H) of patches (N, K, SIDE, SIDE), of the first of each keypoint; (N, 0)
    if there is no such half.
    """
    if config.handcrafted == "none":
        return patches[:, 0, 0, :0]
    return HANDCRAFTED[config.handcrafted][0](np.ascontiguousarray(patches[:, 0]))


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def _cnn(config: FusionConfig, outputs: int) -> nn.Module:
    """Convolutions of each patch by itself, and one matrix of what they find."""
    layers: list[nn.Module] = []
    patches = len(config.coarser)
    inputs, side = patches, SIDE
    for channels, kernel, stride in zip(config.channels, config.kernels, config.strides, strict=True):
        margin, found = 0 if kernel == stride else kernel // 2, patches * channels
        convolution = nn.Conv2d(inputs, found, kernel, stride, margin, groups=patches, bias=False)
        layers += [convolution, nn.BatchNorm2d(found), nn.ReLU()]
        inputs, side = found, (side + 2 * margin - kernel) // stride + 1
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * side**2, outputs, bias=False))


def _even_light(patches: Tensor) -> Tensor:
    """Patches of zero mean and unit variance: brightness and contrast carry no meaning."""
    flat = patches - patches.mean(dim=(2, 3), keepdim=True)
    return flat / torch.sqrt((flat * flat).mean(dim=(2, 3), keepdim=True) + 1e-8)
