# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The descriptor's network computed with numpy: an MLP of the handcrafted half beside a CNN of the patches.

The network is :class:`hybrid_features_ros.training.fusion.HybridDescriptor`, with its normalisations folded
into the convolutions. Each convolution is one matrix product of the windows of a portion of the keypoints,
small enough to stay in the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hybrid_features_ros.core.types import Float32
from hybrid_features_ros.features.weights import Weights

_PORTION = 128  # keypoints at a time
_LEAST_LIGHT = 1e-8  # added to the variance of a patch


class ResidueNetwork:
    """Patches of N keypoints and handcrafted descriptors (N, H) to unit descriptors (N, D), float32.

    Attributes:
        coarser: levels between a keypoint's and those of its patches.
    """

    def __init__(self, weights: Weights) -> None:
        self.coarser = patches_of(weights.config)
        self._mlp = list(_layers(weights, "mlp"))
        layers, count = list(_layers(weights, "conv")), len(self.coarser)
        by_patch = [[np.array_split(array, count, axis=-1) for array in layer] for layer in layers]
        self._convolutions = [[(w[k].copy(), b[k]) for w, b in by_patch] for k in range(count)]
        self._strides: list[int] = weights.config["descriptor"]["strides"]
        self._head = weights.arrays.get("head.weight")

    def __call__(self, patches: Sequence[Float32], handcrafted: Float32) -> Float32:
        """Descriptors of patches (N, side, side), one array for each of ``coarser``, and of what
        :func:`.rootsift.describe_patches` says of the first of them.
        """
        portions = [slice(i, i + _PORTION) for i in range(0, max(len(handcrafted), 1), _PORTION)]
        return np.concatenate([self._describe([of[p] for of in patches], handcrafted[p]) for p in portions])

    def _describe(self, patches: Sequence[Float32], handcrafted: Float32) -> Float32:
        halves = []
        if self._mlp:
            gain = np.float32(handcrafted.shape[1] ** 0.5)  # unit vectors to elements of unit variance
            halves.append(self._perceptron(handcrafted * gain))
        if self._head is not None:
            halves.append(self._convolve(patches) @ self._head)
        joined = np.concatenate(halves, axis=1)
        length = np.sqrt(np.einsum("nd,nd->n", joined, joined))
        joined /= np.maximum(length, np.float32(1e-12))[:, None]
        return np.asarray(joined, dtype=np.float32)

    def _perceptron(self, x: Float32) -> Float32:
        for i, (weight, bias) in enumerate(self._mlp):
            x = x @ weight
            x += bias
            if i + 1 < len(self._mlp):
                np.maximum(x, 0, out=x)
        return x

    def _convolve(self, patches: Sequence[Float32]) -> Float32:
        """Rows (N, M) of what the convolutions find: at each place what they find in all patches."""
        maps = []
        for of, convolutions in zip(patches, self._convolutions, strict=True):
            x = _even_light(of)[..., None]
            for (weight, bias), stride in zip(convolutions, self._strides, strict=True):
                x = _convolved(x, weight, stride)
                x += bias
                np.maximum(x, 0, out=x)
            maps.append(x)
        found = np.concatenate(maps, axis=-1)
        return np.asarray(found.reshape(len(found), math.prod(found.shape[1:])), dtype=np.float32)


def patches_of(config: Mapping[str, Any]) -> tuple[int, ...]:
    """Levels between a keypoint's and those of the patches that a network with this configuration sees."""
    context = config["descriptor"].get("context", 0)
    return (0, context) if context else (0,)


def _convolved(x: Float32, weight: Float32, stride: int) -> Float32:
    """Maps (N, side, side, C) convolved with ``weight`` (K, K, C, D): (N, out, out, D).

    Windows that tile the maps are one matrix product. Others overlap and reach beyond the border, where maps
    are zero: each place has a product of its own, of the samples inside.
    """
    n, side, _, channels = x.shape
    kernel, depth = len(weight), weight.shape[-1]
    if kernel == stride:
        out = side // stride
        tiles = x.reshape(n, out, stride, out, stride * channels).transpose(0, 1, 3, 2, 4)
        return (tiles.reshape(-1, weight[..., 0].size) @ weight.reshape(-1, depth)).reshape(
            n, out, out, depth
        )
    margin = kernel // 2
    starts = [i * stride - margin for i in range((side + 2 * margin - kernel) // stride + 1)]
    spans = [(max(s, 0), min(s + kernel, side), s) for s in starts]
    out = np.empty((n, len(spans), len(spans), depth), np.float32)
    for i, (top, bottom, y) in enumerate(spans):
        for j, (left, right, x0) in enumerate(spans):
            window = x[:, top:bottom, left:right].reshape(n, -1)
            part = weight[top - y : bottom - y, left - x0 : right - x0].reshape(-1, depth)
            out[:, i, j] = window @ part
    return out


def _layers(weights: Weights, name: str) -> Iterator[tuple[Float32, Float32]]:
    """Weight and bias of the layers ``name.0``, ``name.1``, ..."""
    for i in range(len(weights.arrays)):
        if f"{name}.{i}.weight" in weights.arrays:
            yield weights.arrays[f"{name}.{i}.weight"], weights.arrays[f"{name}.{i}.bias"]


def _even_light(patches: Float32) -> Float32:
    """Patches of zero mean and unit variance: brightness and contrast carry no meaning."""
    n, pixels = len(patches), patches[0].size if len(patches) else 1
    flat = patches.reshape(n, -1) - patches.reshape(n, -1).mean(axis=1, keepdims=True)
    variance = np.einsum("np,np->n", flat, flat) / np.float32(pixels)
    flat /= np.sqrt(variance + np.float32(_LEAST_LIGHT))[:, None]
    return np.asarray(flat.reshape(patches.shape), dtype=np.float32)
