# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Weights of trained networks as plain arrays: what every engine computes with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.errors import InputError

_CONFIG = "config"  # the entry of the file that holds JSON


@dataclass(frozen=True)
class Weights:
    """Arrays by name, and the configuration of the network and of its training.

    Attributes:
        arrays: float32.
        config: of the network, its training under ``training``.
    """

    arrays: Mapping[str, NDArray[np.float32]]
    config: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of the arrays: the same for every engine that computes with them."""
        sha = hashlib.sha256()
        for name in sorted(self.arrays):
            array = self.arrays[name]
            sha.update(f"{name}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
        return sha.hexdigest()[:16]

    def save(self, file: Path) -> None:
        """Write a ``.npz`` file."""
        config = np.frombuffer(json.dumps(self.config).encode(), np.uint8)
        entries: dict[str, Any] = {_CONFIG: config, **self.arrays}
        with file.open("wb") as out:
            np.savez(out, **entries)


def load_weights(name: str, file: Path | None = None) -> Weights:
    """Weights that this package ships, such as ``strek``, or those of a ``.npz`` file.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    path = resources.files("hybrid_features_ros") / "weights" / f"{name}.npz" if file is None else file
    if not path.is_file():
        raise InputError(f"{path}: no such file; write one with `hybrid-features export --weights`")
    try:
        with path.open("rb") as stream, np.load(stream) as found:
            arrays = {k: found[k] for k in found.files}
        config = json.loads(arrays.pop(_CONFIG).tobytes())
    except (ValueError, OSError, KeyError) as error:
        raise InputError(f"{path}: no weights of `hybrid-features export` ({error})") from None
    return Weights(arrays, config)
