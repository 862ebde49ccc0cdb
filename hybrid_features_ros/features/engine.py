"""Where the networks run: ONNX Runtime, on the fastest processor that it finds."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hybrid_features_ros.core.errors import InputError

PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
"""Execution providers, in the order of preference."""

_log = logging.getLogger(__name__)


class Engine:
    """An exported network, ready to run.

    Args:
        model: the bytes of an ONNX file.
        threads: 0 leaves the choice to ONNX Runtime (all cores). Its threads sleep while they wait: a
            robot needs its cores for other things, and spinning threads on busy cores made networks ten
            times slower.
        providers: those to try, the first available one runs.
        blocked: whether the network's layers are thick enough for the CPU's blocked layouts: with few
            channels, conversions cost more than they gain.
        half: whether TensorRT may compute in half precision; not where small numbers matter, as in the
            logarithms of the detector. Not tried on a GPU yet.

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
        half: bool = False,
    ) -> None:
        there = [p for p in providers if p in onnxruntime.get_available_providers()]
        if not there:
            raise InputError(
                f"ONNX Runtime has none of {', '.join(providers)}; it has "
                f"{', '.join(onnxruntime.get_available_providers())}"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        level = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if blocked else level.ORT_ENABLE_EXTENDED
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            tuned = [(p, {"trt_fp16_enable": half} if p == PROVIDERS[0] else {}) for p in there]
            self._session = onnxruntime.InferenceSession(model, options, providers=tuned)
        except Exception as error:  # noqa: BLE001  its exceptions have no common base of their own
            raise InputError(
                f"this is no model that ONNX Runtime {onnxruntime.__version__} loads: {error}"
            ) from None
        self.provider: str = self._session.get_providers()[0]
        self.digest = hashlib.sha256(model).hexdigest()[:16]
        self.config: Mapping[str, Any] = {
            k: json.loads(v) for k, v in self._session.get_modelmeta().custom_metadata_map.items()
        }
        # Names and shapes; what may differ from call to call has a name instead of a number.
        self.inputs = {i.name: tuple(i.shape) for i in self._session.get_inputs()}
        _log.info("network %s runs on %s, %d threads", self.digest, self.provider, threads)

    def __call__(self, *arrays: NDArray[Any]) -> list[NDArray[np.float32]]:
        """All outputs for the inputs, in the order of the file."""
        return list(self._session.run(None, dict(zip(self.inputs, arrays, strict=True))))


def read_weights(name: str, file: Path | None = None) -> bytes:
    """The bytes of a network that this package ships, or of a file of the user's own.

    Raises:
        InputError: there is no such file.
    """
    if file is None:
        return (resources.files("hybrid_features_ros") / "weights" / name).read_bytes()
    if not file.is_file():
        raise InputError(f"{file}: no such file; export one with `hybrid-features export`")
    return file.read_bytes()
