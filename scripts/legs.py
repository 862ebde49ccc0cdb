#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Run a selection of the tests on the libraries that robots have: a part of ``make test``.

`make setup` installs the newest numpy, SciPy, OpenCV and matplotlib; distributions ship older ones. A leg
puts theirs before the newest on Python's path; interpreter, ROS 2 and test tools stay those of ``.venv``. A
leg that names another Python has an environment of its own without ROS, where the tests of nodes skip
themselves. Packages are kept in ``.venv/legs``. With a sourced ROS 2 there are no legs: its libraries are
the ones that the tests have run on.

Needs Python's standard library only: ``scripts/ros_env.sh python3 scripts/legs.py [NAME ...]``
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT

from setup_ros import PYTHON, ROOT, VENV, digest, run

FOLDER = VENV / "legs"
DEBIAN = Path("/usr/lib/python3/dist-packages")
# Each with a camera that has lens distortion: in test_main.py and in test_nodes.py.
CORE = (
    *(f"test/{part}" for part in ("core", "geometry", "matching", "io", "evaluation", "features")),
    *("test/cli/test_main.py", "test/visualization/test_figures.py"),
)
NODES = ("test/core", "test/overlay", "test/nodes/test_nodes.py", "test/nodes/test_services.py")
TOOLS = ("hypothesis", "pytest")


@dataclass(frozen=True)
class Leg:
    """What one distribution has.

    Attributes:
        requirements: for pip; empty: what apt has installed.
        tests: files and folders of tests.
        python: version of an interpreter of its own; empty: that of ``.venv``.
    """

    name: str
    requirements: tuple[str, ...]
    tests: tuple[str, ...]
    python: str = ""

    @property
    def folder(self) -> Path:
        """Where its packages lie."""
        return FOLDER / self.name if self.requirements else DEBIAN

    @property
    def interpreter(self) -> Path:
        """What runs its tests."""
        return self.folder / "bin" / "python" if self.python else PYTHON


def _stack(numpy: str, scipy: str, opencv: str, matplotlib: str) -> tuple[str, ...]:
    names = ("numpy", "scipy", "opencv-contrib-python-headless", "matplotlib")
    return tuple(map("==".join, zip(names, (numpy, scipy, opencv, matplotlib), strict=True)))


# What else pyproject.toml allows, in the oldest version that it does.
OLDEST = ("PyYAML==6.0", "rosbags==0.10.11", "tqdm==4.57.0")
LEGS = (
    # Ubuntu 24.04: ROS 2 Jazzy and Kilted, JetPack 7.
    Leg("noble", _stack("1.26.4", "1.11.4", "4.6.0.66", "3.6.3"), (*CORE, *NODES)),
    # Ubuntu 22.04, as near to it as wheels for the Python of .venv come.
    Leg("jammy", _stack("1.23.5", "1.9.3", "4.5.5.64", "3.6.0"), NODES),
    # Ubuntu 22.04: ROS 2 Humble, JetPack 6; the lower bounds of pyproject.toml.
    Leg("oldest", (*_stack("1.21.5", "1.8.0", "4.5.4.60", "3.5.1"), *OLDEST), CORE, python="3.10"),
    # Debian's own packages, if apt has installed them.
    Leg("debian", (), NODES),
)


_VERSIONS = """
import platform, cv2, matplotlib, numpy, scipy
versions = [f"{m.__name__} {m.__version__}" for m in (numpy, scipy, cv2, matplotlib)]
print("Python", platform.python_version() + ",", *versions)
"""


def main(names: list[str]) -> int:
    if "ROS_DISTRO" in os.environ:
        print("legs: none, the tests have just run on the libraries beside the sourced ROS 2")
        return 0
    chosen = [leg for leg in LEGS if not names or leg.name in names]
    # Nodes of two legs would hear each other; what has no ROS runs beside them.
    lanes = [[leg for leg in chosen if leg.python], [leg for leg in chosen if not leg.python]]
    with ThreadPoolExecutor() as pool:
        failed = [name for lane in pool.map(_failures, lanes) for name in lane]
    if failed:
        print(f"legs: failed on {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _failures(lane: list[Leg]) -> list[str]:
    """Run legs one after another; the names of those that fail."""
    failed = []
    for leg in lane:
        reason = _missing(leg)
        if reason:
            print(f"legs: {leg.name} is left out: {reason}", flush=True)
        elif not _passes(leg):
            failed.append(leg.name)
    return failed


def _missing(leg: Leg) -> str:
    """What the leg needs and this machine has not; empty if nothing."""
    if leg.python:
        found = _answer([f"python{leg.python}", "-c", "import ensurepip"], _chosen(leg.python))
        return f"sudo apt install python{leg.python}-venv" if found is None else ""
    if leg.requirements:
        return ""
    version = "import sys; print(*sys.version_info[:2])"
    if _answer([str(PYTHON), "-c", version]) != _answer(["/usr/bin/python3", "-c", version]):
        return "/usr/bin/python3 is of another version than .venv"
    if _answer(["/usr/bin/python3", "-c", "import cv2, matplotlib, numpy, scipy"]) is None:
        return "sudo apt install python3-opencv python3-scipy python3-numpy python3-matplotlib"
    return ""


def _passes(leg: Leg) -> bool:
    if leg.requirements:
        _install(leg)
    path = [str(ROOT)] if leg.python else [str(leg.folder), str(ROOT), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    print(f"legs: {leg.name}: {_answer([str(leg.interpreter), '-c', _VERSIONS], env)}", flush=True)
    options = ["-q", "-p", "no:cacheprovider", "-k", "not rerun and not pytorch"]  # they need numpy 2
    command = [str(leg.interpreter), "-m", "pytest", *options, *dict.fromkeys(leg.tests)]
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=PIPE, stderr=STDOUT, text=True)
    print(f"legs: {leg.name}, what its tests say:\n{done.stdout}", end="", flush=True)
    return done.returncode == 0


def _install(leg: Leg) -> None:
    """Put the leg's packages into its folder, if they are not there."""
    stamp, wanted = leg.folder / "leg.stamp", digest([leg.python, leg.requirements, TOOLS])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(leg.folder, ignore_errors=True)
    into = ["--target", str(leg.folder)]
    if leg.python:
        run([f"python{leg.python}", "-m", "venv", leg.folder], _chosen(leg.python))
        into = [*TOOLS]
    pip = [str(leg.interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    alone = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    # pip warns that packages of .venv want newer ones: they are not used together.
    subprocess.run([*pip, *into, *leg.requirements], env=alone, check=True, stderr=subprocess.DEVNULL)
    stamp.write_text(wanted)


def _chosen(python: str) -> dict[str, str]:
    """Variables with which pyenv, where it is what finds Python, takes this version."""
    return {**os.environ, "PYENV_VERSION": python}


def _answer(command: list[str], env: dict[str, str] | None = None) -> str | None:
    """What a command prints; None if it fails."""
    try:
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
