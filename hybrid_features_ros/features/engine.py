# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What computes the networks: OpenCV and numpy, ONNX Runtime, or PyTorch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float32
from hybrid_features_ros.features.detector import Heat
from hybrid_features_ros.features.onnx import (
    PROVIDERS,
    OnnxDescriptor,
    OnnxDetector,
    OnnxNetwork,
    available_providers,
    read_onnx,
)
from hybrid_features_ros.features.residue import ResidueNetwork
from hybrid_features_ros.features.steerable import SteerableNetwork
from hybrid_features_ros.features.weights import load_weights
from hybrid_features_ros.features.workspace import Workspace

_log = logging.getLogger(__name__)


class DetectorNetwork(Protocol):
    """Levels of a pyramid to heatmaps; ``level_bias`` has an entry for each level with keypoints."""

    level_bias: Float32

    def heat(self, level: Float32, number: int) -> Heat:
        """What the network says of level ``number`` (H, W) of a pyramid, until the next image."""
        ...


class DescriptorNetwork(Protocol):
    """What turns patches (N, side, side), one array for each of ``coarser``, and handcrafted descriptors
    (N, H) of the first of them into descriptors (N, D).

    Attributes:
        coarser: levels between a keypoint's and those of its patches.
    """

    coarser: tuple[int, ...]

    def __call__(self, patches: Sequence[Float32], handcrafted: Float32) -> Float32:
        """Unit descriptors (N, D) float32."""
        ...


@dataclass(frozen=True)
class Networks:
    """The networks of an extractor.

    Attributes:
        descriptor: None where the handcrafted descriptor is used alone.
        provider: what computes them, for people.
        digest: of their weights; the same for every engine.
    """

    detector: DetectorNetwork
    descriptor: DescriptorNetwork | None
    provider: str
    digest: str


_GPU_DEVICES = ("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/nvgpu")  # of a card, of a Jetson


def torch_has_gpu() -> bool:
    """Whether PyTorch has CUDA; imported only where there is a GPU, as that takes seconds."""
    if not any(Path(device).exists() for device in _GPU_DEVICES) or find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def choose_engine(engine: str, grid: int = 0) -> str:
    """The engine that ``auto`` stands for: PyTorch or ONNX Runtime where it has a GPU, else OpenCV.

    On a CPU, OpenCV's stencils take a fifth of the time of ONNX Runtime's convolutions. PyTorch has no
    ``grid``.
    """
    if engine != "auto":
        return engine
    if not grid and torch_has_gpu():
        return "torch"
    return "onnx" if set(PROVIDERS[:-1]) & set(available_providers()) else "opencv"


def make_networks(extractor: str, engine: str, threads: int, workspace: Workspace) -> Networks:
    """The networks of the extractor ``strek`` or ``hybrid``.

    Args:
        engine: "auto" (OpenCV or ONNX Runtime), "opencv" or "onnx".
        threads: of ONNX Runtime, 0 = its own choice.

    Raises:
        InputError: ONNX Runtime is asked for and not installed, or PyTorch, which has no networks by
            themselves.
    """
    if engine == "torch":
        raise InputError("the engine torch computes whole images: call make_extractor")
    chosen = choose_engine(engine)
    with_residue = extractor == "hybrid"
    weights = [load_weights("strek"), *([load_weights("hybrid")] if with_residue else [])]
    digest = weights[0].digest if not with_residue else "".join(w.digest[:8] for w in weights)
    if chosen == "onnx":
        detector = OnnxNetwork(read_onnx("strek.onnx"), threads)
        descriptor = OnnxNetwork(read_onnx("hybrid.onnx"), threads, blocked=True)
        networks = Networks(
            OnnxDetector(detector),
            OnnxDescriptor(descriptor) if with_residue else None,
            f"ONNX Runtime, {detector.provider}",
            digest,
        )
    else:
        networks = Networks(
            SteerableNetwork(weights[0], workspace),
            ResidueNetwork(weights[1]) if with_residue else None,
            f"OpenCV {cv2.__version__}, numpy {np.__version__}",
            digest,
        )
    _log.info("networks %s run on %s", digest, networks.provider)
    return networks
