"""Trained networks to the files that inference reads."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from hybrid_features_ros.errors import InputError
from hybrid_features_ros.features.engine import Engine
from hybrid_features_ros.training.network import RADIUS, Detector, NetworkConfig

TOLERANCE = 1e-3  # of logits between PyTorch and ONNX Runtime


class _Padded(nn.Module):
    """The detector for a level that is padded already, its filters evaluated once and for all."""

    def __init__(self, model: Detector) -> None:
        super().__init__()
        self.model = model

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor]:
        logits, gradient = self.model.padded(level)
        return logits, gradient


def load_detector(checkpoint: Path) -> Detector:
    """The network of a training's checkpoint.

    Raises:
        InputError: the file is missing or no such checkpoint.
    """
    if not checkpoint.is_file():
        raise InputError(f"{checkpoint}: no such file; train one with `hybrid-features train detector`")
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    shape = dict(state["config"]["network"])
    model = Detector(NetworkConfig(**{**shape, "channels": tuple(shape["channels"])}))
    model.load_state_dict(state["model"])
    return model.eval()


def export_detector(checkpoint: Path, out: Path) -> float:
    """Write the detector as ONNX with its configuration inside, and check it against PyTorch.

    Returns:
        the largest difference of a logit on noise.

    Raises:
        InputError: the difference exceeds ``TOLERANCE``.
    """
    model = load_detector(checkpoint)
    sample = torch.rand(1, 1, 64 + 2 * RADIUS, 48 + 2 * RADIUS, generator=torch.Generator().manual_seed(0))
    metadata = {
        "network": asdict(model.config),
        "margin": RADIUS,
        "level_bias": model.level_bias.tolist(),
        "training": torch.load(checkpoint, weights_only=True, map_location="cpu")["config"],
    }
    data = _to_onnx(_Padded(model).eval(), sample, ["level"], ["logits", "gradient"], metadata)
    with torch.no_grad():
        expected = model.padded(sample)[0].numpy()
    difference = float(np.abs(Engine(data, 1, ("CPUExecutionProvider",))(sample.numpy())[0] - expected).max())
    if not difference <= TOLERANCE:
        raise InputError(f"{checkpoint}: ONNX differs by {difference:.2g} from PyTorch")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    return difference


def _to_onnx(
    module: nn.Module, sample: Tensor, inputs: list[str], outputs: list[str], metadata: Mapping[str, Any]
) -> bytes:
    buffer: Any = io.BytesIO()
    axes = {name: {2: "height", 3: "width"} for name in [*inputs, *outputs]}
    torch.onnx.export(
        module, (sample,), buffer, input_names=inputs, output_names=outputs, dynamic_axes=axes,
        opset_version=17, do_constant_folding=True, dynamo=False,
    )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, {k: json.dumps(v) for k, v in metadata.items()})
    return bytes(model.SerializeToString())
