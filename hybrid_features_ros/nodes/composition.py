# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The composed nodes as a process of their own, for the demo and for benchmarks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

ENDS_S = 20.0  # how long the process may take to end


@contextmanager
def visual_odometry(topic: str, settings: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Run the composition on an image topic while the context lasts.

    Args:
        topic: ending in ``/compressed`` if the images are; ``camera_info`` is beside it.
        settings: of parameters, as NAME=VALUE.
    """
    image = topic.removesuffix("/compressed")
    parameters = [text.replace("=", ":=", 1) for text in settings]
    if image != topic:
        parameters.append("input.transport:=compressed")
    remap = [f"image:={image}", f"image/compressed:={image}/compressed"]
    remap.append(f"camera_info:={image.rpartition('/')[0]}/camera_info")
    command = [sys.executable, "-m", "hybrid_features_ros.nodes.vo_node", "--ros-args"]
    command += [word for r in remap for word in ("-r", r)] + [word for p in parameters for word in ("-p", p)]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            process.kill()  # rather than leave it to itself
            raise
