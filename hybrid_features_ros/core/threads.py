# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Names of threads, as ``top -H`` and ``ps -T`` show them."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path


def name_thread(name: str) -> None:
    """Give the calling thread a name, of which Linux keeps 15 letters; elsewhere only Python knows it."""
    threading.current_thread().name = name
    with contextlib.suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name[:15])
