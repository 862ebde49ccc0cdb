# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Python code in a process of its own, in which some modules are as if they were not installed."""

import os
import subprocess
import sys
from pathlib import Path

import hybrid_features_ros

_BLOCK = """
import sys

class Missing:
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""


def run_without(names, code, *options, cwd=None):
    """Run ``code`` without the modules ``names``; ``options`` are Python's own."""
    package = str(Path(hybrid_features_ros.__file__).parents[1])
    return subprocess.run(
        [sys.executable, *options, "-c", _BLOCK.format(names=tuple(names)) + code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([package, *filter(None, sys.path)])},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
