# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a change of the code changes what the odometry says, bit by bit, on recordings of your own.

scripts/ros_env.sh python3 scripts/replay.py before.json SEQUENCE... --mode rgbd   # at one commit: stores
scripts/ros_env.sh python3 scripts/replay.py before.json                           # at another: compares
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from hybrid_features_ros.core.config import Config, with_options
from hybrid_features_ros.core.types import OdometryResult
from hybrid_features_ros.evaluation.run import run
from hybrid_features_ros.io.sources import open_source

MODES = ("mono", "rgbd", "stereo")


def main() -> int:
    """Store or compare; 1 if a sequence differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path, help="digests: written if sequences are given, else compared")
    parser.add_argument("sequences", nargs="*", type=Path)
    parser.add_argument("--mode", choices=MODES, default="mono")
    parser.add_argument("--extractor", default="sift", help="default sift, the fastest")
    given = parser.parse_args()
    if given.sequences:
        runs = [[str(path.resolve()), given.mode, given.extractor] for path in given.sequences]
        given.file.write_text(json.dumps([[r, list(digests(*r))] for r in runs]) + "\n")
        return 0
    return int(max(differs(*entry) for entry in json.loads(given.file.read_text())))


def differs(sequence: list[str], before: list[str]) -> bool:
    """Replay one sequence and tell the first frame whose digest is another one."""
    now = list(digests(*sequence))
    frame = next((i for i, (a, b) in enumerate(zip_longest(now, before)) if a != b), None)
    found = f"{len(now)} frames are identical" if frame is None else f"differs from frame {frame} on"
    print(f"{' '.join(sequence)}: {found}")
    return frame is not None


def digests(path: str, mode: str, extractor: str) -> Iterator[str]:
    """Of everything that the odometry says about each frame, but for the time it took."""
    used = {"input.depth": mode == "rgbd", "input.stereo": mode == "stereo"}
    config = with_options(Config(), {"features.extractor": extractor, **used})
    for step in run(open_source(Path(path)), config):
        digest = hashlib.sha256()
        for part in flat(step.result):
            digest.update(part)
        yield digest.hexdigest()[:16]


def flat(value: Any) -> Iterator[bytes]:
    """The bytes of a value and of all that it holds."""
    if is_dataclass(value):
        for f in fields(value):
            if not (isinstance(value, OdometryResult) and f.name == "milliseconds"):
                yield from flat(getattr(value, f.name))
    elif isinstance(value, np.ndarray):
        yield value.tobytes()
    else:
        yield repr(value).encode()


if __name__ == "__main__":
    sys.exit(main())
