# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The networks run by ONNX Runtime: on a GPU by its CUDA provider, or on the CPU.

TensorRT's provider is not asked for: every level of the pyramid has a shape of its own, for each of which it
builds an engine at every start.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float32
from hybrid_features_ros.features.detector import Heat
from hybrid_features_ros.features.residue import patches_of

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""Execution providers, in the order of preference."""


def available_providers() -> list[str]:
    """Execution providers of the ONNX Runtime that is installed, none without it."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return []
    return list(onnxruntime.get_available_providers())


class OnnxNetwork:
    """An exported network, ready to run.

    Args:
        model: the bytes of an ONNX file.
        threads: 0 leaves the choice to ONNX Runtime (all cores). Its threads sleep while they wait: a
            robot needs its cores for other things, and spinning threads on busy cores made networks ten
            times slower.
        providers: those to try, the first available one runs.
        blocked: whether the network's layers are thick enough for the CPU's blocked layouts: with few
            channels, conversions cost more than they gain.

    Raises:
        InputError: none of the providers is there, or the file is no ONNX model.
    """

    def __init__(
        self,
        model: bytes,
        threads: int = 0,
        providers: tuple[str, ...] = PROVIDERS,
        *,
        blocked: bool = False,
    ) -> None:
        there = [p for p in providers if p in available_providers()]
        if not there:
            raise InputError(
                f"no ONNX Runtime with {', '.join(providers)}: it has "
                f"{', '.join(available_providers()) or 'not been installed: pip install onnxruntime'}"
            )
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        level = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if blocked else level.ORT_ENABLE_EXTENDED
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=there)
        except Exception as error:  # noqa: BLE001  its exceptions have no common base of their own
            raise InputError(
                f"this is no model that ONNX Runtime {onnxruntime.__version__} loads: {error}"
            ) from None
        self.provider: str = self._session.get_providers()[0]
        self.config: Mapping[str, Any] = {
            k: json.loads(v) for k, v in self._session.get_modelmeta().custom_metadata_map.items()
        }
        self.digest = str(self.config.get("digest", hashlib.sha256(model).hexdigest()[:16]))  # of the weights
        # Names and shapes; what may differ from call to call has a name instead of a number.
        self.inputs = {i.name: tuple(i.shape) for i in self._session.get_inputs()}

    def __call__(self, *arrays: NDArray[Any]) -> list[NDArray[np.float32]]:
        """All outputs for the inputs, in the order of the file."""
        return list(self._session.run(None, dict(zip(self.inputs, arrays, strict=True))))


class OnnxDetector:
    """Levels of a pyramid to heatmaps, as :class:`.SteerableNetwork`."""

    def __init__(self, network: OnnxNetwork) -> None:
        self._network = network
        self.level_bias = np.array(network.config["level_bias"], np.float32)
        self._margin = int(network.config["margin"])

    def heat(self, level: Float32, number: int) -> Heat:
        """What the network says of level ``number`` (H, W) of a pyramid."""
        padded = cv2.copyMakeBorder(level, *(self._margin,) * 4, cv2.BORDER_REFLECT_101)
        logits, gradient = self._network(padded[None, None])
        bias = self.level_bias[number] if number < len(self.level_bias) else np.float32(0)
        return Heat(logits[0, 0] + bias, gradient[0])


class OnnxDescriptor:
    """Patches and handcrafted descriptors to descriptors, as :class:`.ResidueNetwork`."""

    def __init__(self, network: OnnxNetwork) -> None:
        self._network = network
        self.coarser = patches_of(network.config)

    def __call__(self, patches: Sequence[Float32], handcrafted: Float32) -> Float32:
        """Unit descriptors (N, D) of patches (N, side, side) and handcrafted descriptors (N, H)."""
        return self._network(np.stack(patches, axis=1), handcrafted)[0]


def read_onnx(name: str, file: Path | None = None) -> bytes:
    """The bytes of a network that this package ships, or of a file of the user's own.

    Raises:
        InputError: there is no such file.
    """
    if file is None:
        return (resources.files("hybrid_features_ros") / "weights" / name).read_bytes()
    if not file.is_file():
        raise InputError(f"{file}: no such file; export one with `hybrid-features export`")
    return file.read_bytes()
