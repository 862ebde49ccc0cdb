# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole extractor, image to features, as one ONNX file for images of one size.

For inference engines without PyTorch, TensorRT among them: shapes are fixed but for the number of keypoints,
and the operators are those of opset 17.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor, nn

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import UInt8
from hybrid_features_ros.features.detector import FINEST_SCALE, SCALE
from hybrid_features_ros.features.onnx import OnnxNetwork
from hybrid_features_ros.features.pyramid import STEP, level_sizes
from hybrid_features_ros.features.torch_engine import FeatureModule, TorchExtractor
from hybrid_features_ros.training.export import TOLERANCE, to_onnx

OUTPUTS = ("points", "scores", "scales", "angles", "descriptors")
_PLACE, _SAME = 1e-2, 0.99  # difference of equal positions [px]; share of keypoints that have to be equal


class _Outputs(nn.Module):
    """Features (N, ...) as a tuple in the order of ``OUTPUTS``, with the meaning of :class:`.Features`."""

    scales: Tensor

    def __init__(self, module: FeatureModule) -> None:
        super().__init__()
        self.module = module
        scales = [FINEST_SCALE, *(SCALE * STEP**i for i in range(1, module.levels))]
        self.register_buffer("scales", torch.tensor(scales))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        found = self.module(image)
        return found.points, found.scores, self.scales[found.levels], found.angles, found.descriptors


def export_module(config: FeatureConfig, width: int, height: int, out: Path) -> float:
    """Write the extractor ``strek`` or ``hybrid`` as ONNX, and check it against PyTorch on another image.

    Its input ``image`` is (height, width) uint8, its outputs are ``OUTPUTS``.

    Args:
        config: extractor, and most keypoints.
        width, height: of the images [px].
        out: file to write.

    Returns:
        one less the cosine between the descriptors of both, of all but one in a hundred keypoints: rounding
        decides the last places, and the orientation where there is hardly a gradient.

    Raises:
        InputError: more keypoints or descriptors differ, or the image is too small.
    """
    if not level_sizes(width, height, 1):
        raise InputError(f"{width}x{height}: too small for any keypoint")
    extractor = TorchExtractor(config, "cpu")
    module = _Outputs(extractor.module).eval()
    given, other = (torch.from_numpy(_noise(width, height, seed)) for seed in (0, 1))
    axes = {name: {0: "keypoints"} for name in OUTPUTS}
    metadata = {"extractor": config.extractor, "width": width, "height": height, "digest": extractor.digest}
    with torch.no_grad():
        data = to_onnx(module, [given], ["image"], list(OUTPUTS), axes, metadata)
        expected = [tensor.numpy() for tensor in module(other)]
    found = OnnxNetwork(data, 1, ("CPUExecutionProvider",))(other.numpy())
    apart, partner = cKDTree(found[0]).query(expected[0])
    same = apart < _PLACE
    if not same.mean() >= _SAME:
        raise InputError(f"{out}: ONNX Runtime finds {same.mean():.1%} of PyTorch's keypoints")
    likeness = (expected[-1] * found[-1][partner]).sum(axis=1)[same]
    difference = 1 - float(np.percentile(likeness, 100 * (1 - _SAME)))
    if not difference <= TOLERANCE:
        raise InputError(f"{out}: descriptors of ONNX Runtime differ by {difference:.2g} from PyTorch's")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    return difference


def _noise(width: int, height: int, seed: int) -> UInt8:
    """(height, width) uint8 with squares of several sizes and a camera's noise."""
    rng, image = np.random.default_rng(seed), np.full((height, width), 128.0)
    for side in (3, 7, 15):
        coarse = rng.normal(0, 25, (height // side + 1, width // side + 1))
        image += np.kron(coarse, np.ones((side, side)))[:height, :width]
    image += rng.normal(0, 3, image.shape)
    return np.asarray(np.clip(image, 0, 255), dtype=np.uint8)
