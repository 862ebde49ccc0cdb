# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Arrays that are made once and written anew for every image."""

from __future__ import annotations

from math import prod

import numpy as np

from hybrid_features_ros.core.types import Float32


class Workspace:
    """Named float32 arrays, kept from call to call.

    The system clears every page of a new array when it is first written: half a millisecond for the
    megabyte of a VGA image, more than most filters cost. What is handed out is valid until the same name is
    asked for again.
    """

    def __init__(self) -> None:
        self._memory: dict[str, Float32] = {}

    def array(self, name: str, *shape: int) -> Float32:
        """An array of ``shape``, such as (H, W), with whatever was in it; memory grows as needed."""
        size = prod(shape)
        if name not in self._memory or self._memory[name].size < size:
            self._memory[name] = np.empty(size, np.float32)
        return self._memory[name][:size].reshape(shape)
