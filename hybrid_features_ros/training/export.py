# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Trained networks to the files that inference reads.

A checkpoint becomes a ``.npz`` of plain arrays, from which OpenCV and numpy compute, and an ONNX file of the
same network; both carry the digest of the arrays.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features.onnx import OnnxNetwork
from hybrid_features_ros.features.patches import SIDE
from hybrid_features_ros.features.steerable import RADIUS
from hybrid_features_ros.features.weights import Weights
from hybrid_features_ros.training.deep import DeepConfig, DeepDetector
from hybrid_features_ros.training.fusion import FusionConfig, HybridDescriptor, handcrafted
from hybrid_features_ros.training.network import Detector, NetworkConfig, SteerableFilters

TOLERANCE = 1e-3  # of an output between PyTorch and ONNX Runtime
LEAST_EXPONENT = 0.01  # share of the sum of exponents below which a detector's factor is left out


Layer = TypeVar("Layer", bound=nn.Module)


class _Padded(nn.Module):
    """The detector for a level that is padded already, its filters evaluated once and for all."""

    def __init__(self, model: Detector) -> None:
        super().__init__()
        self.model = model

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor]:
        logits, gradient = self.model.padded(level)
        return logits, gradient


def load(checkpoint: Path) -> Detector | DeepDetector | HybridDescriptor:
    """The network of a training's checkpoint, a detector or a descriptor, ready for inference.

    A detector comes without the factors that do next to nothing.

    Raises:
        InputError: the file is missing or no such checkpoint.
    """
    state = _read(checkpoint)
    config = state["config"]
    model: Detector | DeepDetector | HybridDescriptor
    if "fields" in config.get("network", {}):
        model = DeepDetector(_shape(DeepConfig, config["network"]))
    elif "network" in config:
        model = Detector(_shape(NetworkConfig, config["network"]))
    elif "descriptor" in config:
        model = HybridDescriptor(_shape(FusionConfig, {"context": 0, **config["descriptor"]}))
    else:
        raise InputError(f"{checkpoint}: a checkpoint of something else; give one of `hybrid-features train`")
    model.load_state_dict(state["model"])
    return model.pruned(LEAST_EXPONENT).eval() if isinstance(model, Detector) else model.eval()


def weights_of(checkpoint: Path) -> Weights:
    """The arrays of a trained network that inference needs.

    Raises:
        InputError: the file is no checkpoint, or a detector whose filters are not steerable.
    """
    model = _exportable(checkpoint)
    training = {"training": _read(checkpoint)["config"]}
    with torch.no_grad():
        if isinstance(model, Detector):
            return Weights(_arrays(_detector_tensors(model)), {"network": asdict(model.config), **training})
        config = {"descriptor": asdict(model.config), **training}
        return Weights(_arrays(_descriptor_tensors(model)), config)


def _exportable(checkpoint: Path) -> Detector | HybridDescriptor:
    model = load(checkpoint)
    if isinstance(model, DeepDetector):
        raise InputError(
            f"{checkpoint}: a deep detector has no exported form; run the checkpoint itself, as "
            "hybrid_features_ros.training.checkpoint:CheckpointExtractor"
        )
    return model


def export_weights(checkpoint: Path, out: Path) -> None:
    """Write the arrays of :func:`weights_of` as ``.npz``."""
    weights = weights_of(checkpoint)
    out.parent.mkdir(parents=True, exist_ok=True)
    weights.save(out)


def export(checkpoint: Path, out: Path) -> float:
    """Write a trained network as ONNX with its configuration inside, and check it against PyTorch.

    Returns:
        the largest difference of an output on noise.

    Raises:
        InputError: the difference exceeds ``TOLERANCE``, or the file is no checkpoint.
    """
    model = _exportable(checkpoint)
    training = {"training": _read(checkpoint)["config"]}
    if not (isinstance(model, Detector) and model.config.filters != "steerable"):
        training["digest"] = weights_of(checkpoint).digest
    noise = torch.Generator().manual_seed(0)
    if isinstance(model, Detector):
        module: nn.Module = _Padded(model).eval()
        samples = [torch.rand(1, 1, 64 + 2 * RADIUS, 48 + 2 * RADIUS, generator=noise)]
        axes = {name: {2: "height", 3: "width"} for name in ("level", "logits", "gradient")}
        shape = {"network": asdict(model.config), "margin": RADIUS, "level_bias": model.level_bias.tolist()}
        data = to_onnx(module, samples, ["level"], ["logits", "gradient"], axes, {**shape, **training})
    else:
        module = model
        patches = torch.rand(5, len(model.config.coarser), SIDE, SIDE, generator=noise)
        samples = [patches, torch.from_numpy(handcrafted(model.config, patches.numpy()))]
        axes = {name: {0: "keypoints"} for name in ("patches", "handcrafted", "descriptors")}
        names = ["patches", "handcrafted"], ["descriptors"]
        data = to_onnx(module, samples, *names, axes, {"descriptor": asdict(model.config), **training})
    with torch.no_grad():
        given = module(*samples)
    expected = (given[0] if isinstance(given, tuple) else given).numpy()
    found = OnnxNetwork(data, 1, ("CPUExecutionProvider",))(*(s.numpy() for s in samples))[0]
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:
        raise InputError(f"{checkpoint}: ONNX differs by {difference:.2g} from PyTorch")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    return difference


def _detector_tensors(model: Detector) -> dict[str, Tensor]:
    if not isinstance(model.filters, SteerableFilters):
        raise InputError("a detector with free filters has no steerable form: export it as ONNX")
    return {
        "orders": torch.tensor(model.filters.orders),
        "profiles": model.filters.profiles,
        "signs": model.signs,
        "floors": model.floors.exp(),
        "exponents": model.exponents,
        "level_bias": model.level_bias,
    }


def _descriptor_tensors(model: HybridDescriptor) -> dict[str, Tensor]:
    """Matrices map rows to rows; convolutions are (y, x, inputs, outputs), those of one patch behind those of
    the other, normalisation folded in.
    """
    found: dict[str, Tensor] = {}
    for i, layer in enumerate(_of(model.mlp, nn.Linear)):
        found |= {f"mlp.{i}.weight": layer.weight.T, f"mlp.{i}.bias": layer.bias}
    normalisations = _of(model.cnn, nn.BatchNorm2d)
    for i, (conv, norm) in enumerate(zip(_of(model.cnn, nn.Conv2d), normalisations, strict=True)):
        assert norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        found[f"conv.{i}.weight"] = (conv.weight * gain[:, None, None, None]).permute(2, 3, 1, 0)
        found[f"conv.{i}.bias"] = norm.bias - norm.running_mean * gain
    for head in _of(model.cnn, nn.Linear):
        maps = len(model.config.coarser) * model.config.channels[-1]
        side = round((head.in_features / maps) ** 0.5)
        weight = head.weight.reshape(len(head.weight), -1, side, side)
        found["head.weight"] = weight.permute(2, 3, 1, 0).flatten(0, 2)
    return found


def _of(part: nn.Module | None, kind: type[Layer]) -> list[Layer]:
    """The layers of a kind in a part of a network, in order."""
    return [] if part is None else [m for m in part.modules() if isinstance(m, kind)]


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {k: np.ascontiguousarray(v.float().numpy()) for k, v in tensors.items()}


def _read(checkpoint: Path) -> dict[str, Any]:
    if not checkpoint.is_file():
        raise InputError(f"{checkpoint}: no such file; make one with `hybrid-features train`")
    state: dict[str, Any] = torch.load(checkpoint, weights_only=True, map_location="cpu")
    return state


def _shape(kind: Any, values: Mapping[str, Any]) -> Any:
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def to_onnx(
    module: nn.Module,
    samples: list[Tensor],
    inputs: list[str],
    outputs: list[str],
    axes: Mapping[str, Mapping[int, str]],
    metadata: Mapping[str, Any],
) -> bytes:
    """The ONNX file of a module, traced on samples, with metadata inside.

    Args:
        axes: of inputs and outputs, those that may have another length, with a name for it.
    """
    buffer: Any = io.BytesIO()
    torch.onnx.export(
        module, tuple(samples), buffer, input_names=inputs, output_names=outputs, dynamic_axes=axes,
        opset_version=17, do_constant_folding=True, dynamo=False,
    )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, {k: json.dumps(v) for k, v in metadata.items()})
    return bytes(model.SerializeToString())
