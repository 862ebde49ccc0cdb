# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""All of feature extraction as one PyTorch module: image in, features out, nothing leaves the device between.

The steps and numbers are those of the CPU path (:mod:`pyramid`, :mod:`steerable`, :mod:`detector`,
:mod:`patches`, :mod:`rootsift`, :mod:`residue` of this package), the levels of the pyramid one behind the
other in one vector so that keypoints of all levels are treated at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, max_pool2d, normalize, pad

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import DescriptorFormat, Features, Float32, UInt8
from hybrid_features_ros.features.detector import APART, BLEND, FINEST_SCALE, SCALE, SIGMA, Keypoints
from hybrid_features_ros.features.hybrid import descriptor_format, to_bytes
from hybrid_features_ros.features.image import to_gray
from hybrid_features_ros.features.patches import CELL, CELLS, SIDE, SPACING, cell_shares
from hybrid_features_ros.features.pyramid import STEP, gauss, level_blur, level_sizes, parent
from hybrid_features_ros.features.residue import patches_of
from hybrid_features_ros.features.rootsift import CLIP, DIRECTIONS
from hybrid_features_ros.features.selection import FIT, FIT_RADIUS, FIT_REACH, PLAIN
from hybrid_features_ros.features.steerable import SteerableNetwork
from hybrid_features_ros.features.strek import COARSER
from hybrid_features_ros.features.weights import Weights, load_weights
from hybrid_features_ros.features.workspace import Workspace

_CANDIDATES = 4  # maxima that compete for each place of the budget
_ROUNDS = 16  # of suppression; chains of keypoints that disturb each other are shorter


@dataclass(frozen=True)
class Found:
    """Tensors of N keypoints, best first: what :class:`.Keypoints` holds, and descriptors (N, D)."""

    points: Tensor
    scores: Tensor
    levels: Tensor
    angles: Tensor
    descriptors: Tensor


class Stack:
    """Maps of all levels in one vector, and bilinear reading of them."""

    def __init__(self, maps: list[Tensor]) -> None:
        self.values = torch.cat([m.reshape(-1) for m in maps])
        device = self.values.device
        heights, widths = zip(*(_sides(m) for m in maps), strict=True)
        self.heights = torch.tensor(heights, device=device)
        self.widths = torch.tensor(widths, device=device)
        self.starts = torch.cumsum(self.heights * self.widths, 0) - self.heights * self.widths

    def at(self, level: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Values at whole pixels; borders are mirrored."""
        return self.values[
            self.starts[level]
            + _mirrored(y, self.heights[level]) * self.widths[level]
            + _mirrored(x, self.widths[level])
        ]

    def bilinear(self, level: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Values between the pixels."""
        top, left = torch.floor(y), torch.floor(x)
        v, u, i, j = y - top, x - left, top.long(), left.long()
        upper = self.at(level, i, j) * (1 - u) + self.at(level, i, j + 1) * u
        lower = self.at(level, i + 1, j) * (1 - u) + self.at(level, i + 1, j + 1) * u
        return upper * (1 - v) + lower * v


class FeatureModule(nn.Module):
    """Image (H, W) uint8 to keypoints and descriptors.

    Args:
        detector: weights of a steerable detector.
        descriptor: weights of the residue, None for RootSIFT alone.
        budget: most keypoints.
    """

    bias: Tensor
    blur: Tensor
    fit: Tensor
    smooth: Tensor
    shares: Tensor

    def __init__(self, detector: Weights, descriptor: Weights | None, budget: int) -> None:
        super().__init__()
        network = SteerableNetwork(detector, Workspace())
        self.budget = budget
        self.levels = len(network.level_bias)
        self.factors = network.factors
        self.strides = descriptor.config["descriptor"]["strides"] if descriptor else []
        self.coarser = patches_of(descriptor.config) if descriptor else (0,)
        self._keep("bias", network.level_bias)
        self._keep("fit", FIT)
        self._keep("blur", network.blur)
        self._keep("smooth", network.smooth)
        for i, factor in enumerate(network.factors):
            for k, (_, stencil) in enumerate(factor.filters):
                self._keep(f"stencil_{i}_{k}", stencil.kernel)
        shares = cell_shares(SIDE, CELL).reshape(SIDE, SIDE, -1)[1:-1, 1:-1].reshape(-1, CELLS * CELLS)
        self._keep("shares", shares)
        self.layers = sorted(descriptor.arrays) if descriptor else []
        for name in self.layers:
            array = descriptor.arrays[name]  # type: ignore[union-attr]
            self._keep(name.replace(".", "_"), array.transpose(3, 2, 0, 1) if array.ndim == 4 else array)

    def forward(self, image: Tensor) -> Found:
        """Features of an image (H, W) uint8 on the module's device."""
        levels = self.pyramid(image)
        heats, gradients = zip(*(self.heat(level, i) for i, level in enumerate(levels)), strict=True)
        points, scores, level = self.select(Stack(list(heats[: self.levels])), levels)
        angles = self.orient(gradients, levels, points, level)
        patches = [self.patches(levels, points, level, angles, coarser) for coarser in self.coarser]
        return Found(points, scores, level, angles, self.describe(torch.stack(patches, dim=1)))

    def pyramid(self, image: Tensor) -> list[Tensor]:
        """Levels (1, 1, H_l, W_l), as :func:`.pyramid.pyramid`."""
        height, width = _sides(image)
        sizes = level_sizes(width, height, self.levels + COARSER)
        base = image.to(self.smooth.dtype)[None, None] / 255
        found = [_separable(base, self._window(level_blur(0)))]
        for i, (width, height) in enumerate(sizes[1:], 1):
            small = interpolate(found[parent(i)], (height, width), mode="bilinear", align_corners=False)
            found.append(_separable(small, self._window(level_blur(i))))
        return found

    def heat(self, level: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Logits (1, 1, H, W) and gradient (1, 2, H, W), as :class:`.SteerableNetwork`."""
        blurred, gradient, logits = _separable(level, self.blur), level, torch.zeros_like(level)
        for i, factor in enumerate(self.factors):
            responses = [
                _filter(blurred, getattr(self, f"stencil_{i}_{k}")) for k in range(len(factor.filters))
            ]
            gradient = torch.cat(responses[:2], dim=1) if i == 0 else gradient
            signs = [sign for sign, _ in factor.filters]
            energies = [sign * z * z for sign, z in zip(signs, responses, strict=True)]
            q = torch.stack(energies).sum(dim=0)
            logits = logits + factor.exponent * torch.log(torch.relu(q) + factor.floor)
        bias = self.bias[number] if number < self.levels else 0.0
        return _separable(logits, self.smooth) + bias, gradient

    def select(self, heats: Stack, levels: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Points (N, 2), scores (N,) and levels (N,), as :func:`.detector.select`."""
        peaks = torch.cat([_peaks(m).reshape(-1) for m in _split(heats)])
        ranked = torch.where(peaks, heats.values, -torch.inf)
        scores, index = torch.topk(ranked, min(_CANDIDATES * self.budget, len(ranked)))
        index, scores = index[scores > -torch.inf], scores[scores > -torch.inf]
        level = (index[:, None] >= heats.starts).sum(dim=1) - 1
        inside = index - heats.starts[level]
        y, x = inside // heats.widths[level], inside % heats.widths[level]
        points = (self._refined(heats, level, y, x) + 0.5) * self._ratio(levels, level) - 0.5
        kept = _spread(points)[: self.budget]
        return points[kept], scores[kept], level[kept]

    def _refined(self, heats: Stack, level: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Sub-pixel positions (N, 2), as :func:`.selection.refine`."""
        r = FIT_RADIUS
        rows, columns = (
            axis.flatten() for axis in torch.meshgrid(*[torch.arange(-r, r + 1)] * 2, indexing="ij")
        )
        around = heats.at(level[:, None], y[:, None] + rows.to(y), x[:, None] + columns.to(x))
        values = around - heats.at(level, y, x)[:, None]
        gx, gy, gxx, gyy, gxy = (values @ self.fit).unbind(dim=1)
        determinant = (gxx * gyy - gxy**2).clamp_min(1e-12)
        step = torch.stack([gxy * gy - gyy * gx, gxy * gx - gxx * gy], dim=1) / determinant[:, None]
        return torch.stack([x, y], dim=1) + step.clamp(-FIT_REACH, FIT_REACH)

    def orient(
        self, gradients: tuple[Tensor, ...], levels: list[Tensor], points: Tensor, level: Tensor
    ) -> Tensor:
        """Directions (N,) of gradients two and three levels coarser, as :func:`.detector.orientations`."""
        total = torch.zeros_like(points)
        stacks = [Stack([g[0, k] for g in gradients]) for k in range(2)]
        for step, weight in enumerate(BLEND):
            there = level + step
            exists = (there < len(levels)).to(points.dtype) * weight
            there = there.clamp(max=len(levels) - 1)
            at = (points + 0.5) / self._ratio(levels, there) - 0.5
            parts = [s.bilinear(there, at[:, 1], at[:, 0]) for s in stacks] if weight else []
            total = total + exists[:, None] * torch.stack(parts, dim=1) if weight else total
        return _direction(total[:, 0], total[:, 1])

    def patches(
        self, levels: list[Tensor], points: Tensor, level: Tensor, angles: Tensor, coarser: int = 0
    ) -> Tensor:
        """Upright patches (N, SIDE, SIDE), as :func:`.patches.oriented_patches`."""
        ticks = (torch.arange(SIDE, device=points.device) - (SIDE - 1) / 2).to(points.dtype) * SPACING
        there = (level + coarser).clamp(max=len(levels) - 1)
        centre = (points + 0.5) / self._ratio(levels, there) - 0.5
        c, s = torch.cos(angles)[:, None, None], torch.sin(angles)[:, None, None]
        size = torch.ones_like(angles).masked_fill(level == 0, FINEST_SCALE / SCALE)
        size = (size * STEP ** (level + coarser - there).to(size.dtype))[:, None, None]
        c, s = c * size, s * size
        x = centre[:, 0, None, None] + c * ticks[None, None] - s * ticks[None, :, None]
        y = centre[:, 1, None, None] + s * ticks[None, None] + c * ticks[None, :, None]
        return Stack(levels).bilinear(there[:, None, None], y, x)

    def describe(self, patches: Tensor) -> Tensor:
        """RootSIFT, or with a residue the hybrid descriptor (N, D), of patches (N, K, SIDE, SIDE)."""
        handcrafted = self._rootsift(patches[:, 0])
        if not self.layers:
            return handcrafted
        x = handcrafted * handcrafted.shape[1] ** 0.5
        dense = [n for n in self.layers if n.startswith("mlp") and n.endswith("weight")]
        for i, name in enumerate(dense):
            x = x @ self._layer(name) + self._layer(name.replace("weight", "bias"))
            x = torch.relu(x) if i + 1 < len(dense) else x
        flat = patches - patches.mean(dim=(2, 3), keepdim=True)
        z = flat / torch.sqrt((flat * flat).mean(dim=(2, 3), keepdim=True) + 1e-8)
        for i, stride in enumerate(self.strides):
            weight = self._layer(f"conv.{i}.weight")
            side = int(weight.shape[-1])
            margin = 0 if side == stride else side // 2
            bias, kinds = self._layer(f"conv.{i}.bias"), len(self.coarser)
            z = torch.relu(conv2d(z, weight, bias, stride, margin, groups=kinds))
        residue = z.permute(0, 2, 3, 1).flatten(1) @ self._layer("head.weight")
        return normalize(torch.cat([x, residue], dim=1), dim=1)

    def _rootsift(self, patches: Tensor) -> Tensor:
        gx = (patches[:, 1:-1, 2:] - patches[:, 1:-1, :-2]).flatten(1)
        gy = (patches[:, :-2, 1:-1] - patches[:, 2:, 1:-1]).flatten(1)
        magnitude, turn = torch.sqrt(gx * gx + gy * gy), _direction(gx, gy) * (DIRECTIONS / (2 * torch.pi))
        parts = []
        for k in range(DIRECTIONS):
            apart = torch.remainder(turn - k, DIRECTIONS)
            apart = torch.minimum(apart, DIRECTIONS - apart)
            parts.append((magnitude * torch.relu(1 - apart)) @ self.shares)
        histogram = torch.stack(parts, dim=2).flatten(1)
        most = CLIP * torch.linalg.vector_norm(histogram, dim=1, keepdim=True).clamp_min(1e-12)
        clipped = torch.minimum(histogram, most)
        return torch.sqrt(clipped / clipped.sum(dim=1, keepdim=True).clamp_min(1e-7))

    def _ratio(self, levels: list[Tensor], level: Tensor) -> Tensor:
        """Image pixels per pixel (N, 2), x and y, of each keypoint's level."""
        sizes = [_sides(m) for m in levels]
        all_of_them = [[sizes[0][1] / width, sizes[0][0] / height] for height, width in sizes]
        return torch.tensor(all_of_them, dtype=levels[0].dtype, device=levels[0].device)[level]

    def _window(self, sigma: float) -> Tensor:
        return torch.as_tensor(
            gauss(round(4 * sigma), sigma), dtype=self.smooth.dtype, device=self.smooth.device
        )

    def _keep(self, name: str, array: Any) -> None:
        self.register_buffer(name, torch.as_tensor(np.array(array, np.float32)), persistent=False)

    def _layer(self, name: str) -> Tensor:
        tensor: Tensor = getattr(self, name.replace(".", "_"))
        return tensor


class TorchExtractor:
    """Features by PyTorch, on the GPU if there is one.

    Raises:
        InputError: ``features.grid`` is asked for, which this engine lacks.
    """

    def __init__(self, config: FeatureConfig, device: str = "") -> None:
        if config.grid:
            raise InputError("features.grid: the engine torch has none; take features.engine opencv")
        detector = load_weights("strek")
        descriptor = load_weights("hybrid") if config.extractor == "hybrid" else None
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.module = FeatureModule(detector, descriptor, config.max_keypoints).to(self.device).eval()
        self.provider = f"PyTorch {torch.__version__}, {self.device}"
        digest = detector.digest if descriptor is None else detector.digest[:8] + descriptor.digest[:8]
        self.digest = digest  # of the weights
        self._bytes = config.descriptor_type == "uint8"
        self._format: DescriptorFormat = descriptor_format(config, digest)

    @torch.no_grad()
    def extract(self, image: NDArray[Any]) -> Features:
        """See :class:`hybrid_features_ros.features.extractor.Extractor`."""
        gray = to_gray(image)
        height, width = gray.shape
        if not level_sizes(width, height, 1):
            nothing = np.zeros(0, np.float32)
            places, level = np.zeros((0, 2), np.float32), np.zeros(0, np.intp)
            empty = Keypoints(places, nothing, nothing, nothing, nothing, level)
            return empty.described(self._given(np.zeros((0, 128), np.float32)), self._format, width, height)
        found = self.module(torch.from_numpy(np.ascontiguousarray(gray)).to(self.device))
        points, scores, levels, angles, descriptors = (
            t.cpu().numpy()
            for t in (found.points, found.scores, found.levels, found.angles, found.descriptors)
        )
        scales = np.where(levels, SCALE * STEP**levels, FINEST_SCALE).astype(np.float32)
        sigmas = (SIGMA * scales).astype(np.float32)
        keypoints = Keypoints(points, scores, scales, angles, sigmas, levels)
        return keypoints.described(self._given(descriptors), self._format, width, height)

    @property
    def budget(self) -> int:
        """Most keypoints of an image."""
        return self.module.budget

    @budget.setter
    def budget(self, keypoints: int) -> None:
        """Change it, from the next image on."""
        self.module.budget = keypoints

    def _given(self, descriptors: Float32) -> Float32 | UInt8:
        return to_bytes(descriptors) if self._bytes else descriptors


def _sides(image: Tensor) -> tuple[int, int]:
    """Height and width of (..., H, W); where a module is exported they are constants."""
    return int(image.shape[-2]), int(image.shape[-1])


def _direction(x: Tensor, y: Tensor) -> Tensor:
    """``atan2(y, x)``; 0 where both are 0, also in ONNX, which divides."""
    return torch.atan2(y, x + ((x == 0) & (y == 0)).to(x.dtype))


def _mirrored(k: Tensor, n: Tensor) -> Tensor:
    """Whole pixels beyond the border as the pixels that they mirror; the border itself is not repeated."""
    period = 2 * (n - 1)
    k = torch.remainder(k, period)
    return torch.minimum(k, period - k)


def _separable(maps: Tensor, window: Tensor) -> Tensor:
    radius = len(window) // 2
    padded = pad(maps, (radius,) * 4, mode="reflect")
    return conv2d(conv2d(padded, window[None, None, None]), window[None, None, :, None])


def _filter(maps: Tensor, stencil: Tensor) -> Tensor:
    padded = pad(maps, (stencil.shape[0] // 2,) * 4, mode="reflect")
    return conv2d(padded, stencil[None, None])


def _split(stack: Stack) -> list[Tensor]:
    sizes = list(zip(stack.heights.tolist(), stack.widths.tolist(), strict=True))
    parts = torch.split(stack.values, [h * w for h, w in sizes])
    return [part.reshape(1, 1, h, w) for part, (h, w) in zip(parts, sizes, strict=True)]


def _peaks(heat: Tensor) -> Tensor:
    """As :func:`.selection.maxima`: the disc of radius 2 is a high and a wide rectangle together."""

    def greatest(maps: Tensor) -> Tensor:
        return torch.maximum(max_pool2d(maps, (5, 3), 1, (2, 1)), max_pool2d(maps, (3, 5), 1, (1, 2)))

    found = (heat >= greatest(heat)) & (heat > PLAIN - greatest(-heat))
    inner = torch.zeros_like(found)
    inner[..., 1:-1, 1:-1] = True
    return found & inner


def _spread(points: Tensor) -> Tensor:
    """Rows that greedy suppression within ``APART`` leaves, as :func:`.selection.spread`.

    A point stays unless a better one that stays disturbs it. Starting from all of them, each round settles at
    least one more link of every chain.
    """
    x, y = points.T
    everything = torch.ones_like(x, dtype=torch.bool)
    rank = torch.cumsum(everything.long(), 0)
    apart = torch.square(x[:, None] - x) + torch.square(y[:, None] - y)
    disturbs = (apart <= APART**2) & (rank < rank[:, None])
    kept = everything
    for _ in range(_ROUNDS):
        kept = ~(disturbs & kept).any(dim=1)
    return torch.nonzero(kept)[:, 0]
