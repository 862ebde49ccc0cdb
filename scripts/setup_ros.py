#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Build the package, with the ROS 2 that is sourced, or with ROS 2 from PyPI if none is.

With a sourced ROS 2 (``source /opt/ros/jazzy/setup.bash``) this is ``colcon build`` and nothing else.
Without one it makes a virtual environment ``.venv``, installs ROS 2 (Jazzy, or Kilted with ``ROS=kilted``)
as the wheels that a third party publishes on PyPI (x86-64 Linux), adds stand-ins for the few packages that
PyPI lacks (overlay/) and then runs the same ``colcon build``, its output kept inside ``.venv``. Steps whose
inputs have not changed are skipped. Python, launch and configuration files are installed as links, so that
editing one needs no new build.

Needs Python's standard library only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

CHOSEN = VENV / "distro.stamp"  # what `make setup ROS=...` chose, for the next `make`
SUPPORTED_PYTHON = ((3, 10), (3, 11), (3, 12), (3, 13))  # those that the ROS 2 wheels were tried with
DISTROS = ("jazzy", "kilted")  # of which PyPI has wheels
DISTRO = os.environ.get("ROS") or (CHOSEN.read_text() if CHOSEN.exists() else DISTROS[0])
ROS_WHEELS = (
    *(f"ros-{DISTRO}-{name}" for name in ("rclpy", "rmw-fastrtps-cpp", "std-srvs")),
    *(
        f"ros-{DISTRO}-{name}-msgs"
        for name in ("diagnostic", "geometry", "lifecycle", "nav", "sensor", "std", "visualization")
    ),
    *(f"ros-{DISTRO}-rosidl-{name}-generators" for name in ("default", "core")),
    *(f"ros-{DISTRO}-ament-{name}" for name in ("package", "cmake", "lint")),
    *(
        f"ros-{DISTRO}-ament-cmake-{name}"
        for name in ("gmock", "gtest", "include-directories", "pytest", "ros")
    ),
    # What some packages of that distribution want and do not declare.
    {"jazzy": "ros-jazzy-python-cmake-module"}.get(DISTRO, f"ros-{DISTRO}-ament-cmake-ros-core"),
    "empy==3.3.4",  # the message templates need this version
    "colcon-common-extensions",
)
# Modules beside what package.xml declares, and their names on PyPI.
_DEMO = {"rosbags": "rosbags", "skimage": "scikit-image", "sklearn": "scikit-learn"}
TOOLS = {"demo": _DEMO, "test": {**_DEMO, "hypothesis": "hypothesis", "mypy": "mypy", "ruff": "ruff==0.17.6"}}
COLCON_SETUPTOOLS = "setuptools<80"
# Free space that they take [10^9 bytes]: PyTorch's wheel brings the CUDA libraries, the tests their legs.
ROS_GB, TRAINING_GB = 2, 8
# What a build reads (contents), and what it only links to (names).
BUILD_INPUTS = ("CMakeLists.txt", "package.xml", "msg", "srv", "overlay/interfaces", "scripts/setup_ros.py")
LINKED = ("hybrid_features_ros", "launch", "config", "foxglove", "rviz")


def main() -> int:
    try:
        if "ROS_DISTRO" in os.environ and importlib.util.find_spec("rclpy"):
            check_tools("test" if "--train" in sys.argv else "demo" if "--demo" in sys.argv else "")
            build([ROOT], dict(os.environ), ROOT)
        else:
            set_up_environment(with_training="--train" in sys.argv[1:])
    except SetupError as error:
        print(f"make setup: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        print(f"make setup: this command failed (its output is above): {command}", file=sys.stderr)
        return 1
    return 0


class SetupError(Exception):
    """Something that the user has to install or change; the text says what."""


def check_tools(target: str) -> None:
    """Whether the tools of ``make test`` or ``make demo`` are there, beside a sourced ROS 2.

    Raises:
        SetupError: names those that are missing.
    """
    tools = TOOLS.get(target, {})
    missing = [tools[module] for module in tools if importlib.util.find_spec(module) is None]
    if missing:
        raise SetupError(
            f"`make {target}` needs {', '.join(missing)}: python3 -m venv --system-site-packages ~/venv && "
            f". ~/venv/bin/activate && pip install {' '.join(missing)}"
        )


def set_up_environment(with_training: bool) -> None:
    """Make ``.venv`` with ROS 2, with PyTorch and Rerun if all is to be tested; build the package in it."""
    if DISTRO not in DISTROS:
        raise SetupError(
            f"ROS={DISTRO}: PyPI has {' and '.join(DISTROS)}; others need their own installation"
        )
    python = find_python()
    wheels = list(ROS_WHEELS)
    if not shutil.which("cmake"):
        wheels.append("cmake")

    metadata = (ROOT / "pyproject.toml").read_text().partition("[tool.")[0]
    packages = digest([python, str(ROOT), wheels, metadata])
    if read_stamp("packages") != packages:
        shutil.rmtree(VENV, ignore_errors=True)
        check_space(ROS_GB)
        say(f"installing ROS 2 {DISTRO.title()} and tools from PyPI into .venv (about a minute)")
        run([python, "-m", "venv", VENV])
        pip_install(*wheels)
        pip_install("--editable", f"{ROOT}[dev]", COLCON_SETUPTOOLS)
        repair_exported_paths()
        install_overlay()
        write_stamp("packages", packages)
        CHOSEN.write_text(DISTRO)

    if with_training and read_stamp("training") != packages:
        check_space(TRAINING_GB)
        say("installing PyTorch and Rerun for their tests")
        pip_install("--editable", f"{ROOT}[train,rerun]", COLCON_SETUPTOOLS)
        write_stamp("training", packages)

    names = sorted(str(path.relative_to(ROOT)) for path in files(LINKED))
    workspace = digest([packages, names, *contents(BUILD_INPUTS)])
    if read_stamp("workspace") != workspace:
        sources = [ROOT]
        if not importable("tf2_msgs"):
            sources.append(ROOT / "overlay" / "interfaces" / "tf2_msgs")
        say("building messages and package with colcon (about half a minute)")
        # CMake refuses headers from inside the source tree, here numpy's, except inside the prefix that
        # it installs to. So .venv is that prefix.
        build(
            sources,
            environment(),
            VENV,
            ["--merge-install", "--install-base", VENV],
            [
                f"-DPython3_EXECUTABLE={PYTHON}",
                "-DBUILD_TESTING=OFF",
                "-DCMAKE_SUPPRESS_DEVELOPER_WARNINGS=ON",
            ],
        )
        remove_second_metadata()
        write_stamp("workspace", workspace)


def check_space(needed_gb: float) -> None:
    """Whether the disk that holds ``.venv`` has room for what comes next.

    Raises:
        SetupError: there is less; says how much is needed and how much there is.
    """
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if free_gb < needed_gb:
        raise SetupError(
            f"{VENV} needs {needed_gb:g} GB more and the disk has {free_gb:.1f}: make room, or move the "
            "repository to another disk"
        )


def find_python() -> str:
    """Path of a Python that can make the environment and compile extensions.

    Raises:
        SetupError: there is none, or a compiler is missing; names the packages to install.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise SetupError(
            f"PyPI has ROS 2 for x86-64 Linux only, this is {platform.machine()} {platform.system()}; "
            "install ROS 2 (https://docs.ros.org), source its setup.bash and repeat"
        )
    missing = [name for name, found in toolchain().items() if not found]
    candidates = (
        [os.environ["PYTHON"]]
        if "PYTHON" in os.environ
        else ["python3.11", "python3.12", "python3.10", "python3.13", "python3"]
    )
    lacking: list[str] | None = None
    for candidate in candidates:
        found = inspect_python(candidate)
        if found is None:
            continue
        executable, version, parts = found
        absent = [f"python{version}-{part}" for part in parts]
        if not absent and not missing:
            return executable
        if lacking is None or len(absent) < len(lacking):
            lacking = absent
    if lacking is None:
        supported = " or ".join(f"{a}.{b}" for a, b in SUPPORTED_PYTHON)
        raise SetupError(f"Python {supported} not found: sudo apt install python3.11-venv python3.11-dev")
    names = ", ".join(
        [*(f"no {_PURPOSE[name]} on PATH" for name in missing), *(f"no {name}" for name in lacking)]
    )
    raise SetupError(f"{names}: sudo apt install {' '.join([*missing, *lacking])}")


_PURPOSE = {"g++": "C++ compiler", "gcc": "C compiler", "make": "make"}


def toolchain() -> dict[str, bool]:
    """Debian packages of the compiler, and whether what they provide is there."""
    return {
        "gcc": any(map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))),
        "g++": any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))),
        "make": shutil.which("make") is not None,
    }


def inspect_python(name: str) -> tuple[str, str, list[str]] | None:
    """Executable, version and missing parts ("venv", "dev") of a Python; None if it will not do."""
    question = (
        "import importlib.util as u, json, os, sys, sysconfig as s;"
        "print(json.dumps([sys.executable, sys.version_info[:2], u.find_spec('ensurepip') is not None,"
        "os.path.exists(os.path.join(s.get_path('include'), 'Python.h'))]))"
    )
    try:
        answer = subprocess.run([name, "-c", question], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    executable, version, has_venv, has_headers = json.loads(answer)
    if tuple(version) not in SUPPORTED_PYTHON:
        return None
    parts = [part for part, there in (("venv", has_venv), ("dev", has_headers)) if not there]
    return executable, ".".join(map(str, version)), parts


def repair_exported_paths() -> None:
    """Make the wheels' CMake files name this environment's headers.

    They name the Python of the machine that built the wheels, /opt/python/cp311-cp311/...
    """
    question = "import numpy, sysconfig as s; print(s.get_path('include')); print(numpy.get_include())"
    python_include, numpy_include = capture([PYTHON, "-c", question]).splitlines()
    builder = r"/opt/python/[^/;\"]+"
    for path in (VENV / "share").rglob("*.cmake"):
        text = path.read_text()
        repaired = re.sub(rf"{builder}/include/python[\d.]+", lambda _: python_include, text)
        repaired = re.sub(
            rf"{builder}/lib/python[\d.]+/site-packages/numpy/_?core/include",
            lambda _: numpy_include,
            repaired,
        )
        if repaired != text:
            path.write_text(repaired)


def install_overlay() -> None:
    """Append the stand-ins to the end of the module path, where any real package goes before them."""
    site_packages = capture([PYTHON, "-c", "import sysconfig as s; print(s.get_path('purelib'))"])
    Path(site_packages, "zz_hybrid_features_ros_overlay.pth").write_text(f"{ROOT / 'overlay' / 'python'}\n")


def remove_second_metadata() -> None:
    """Delete the metadata that the messages' build leaves under this package's name.

    It has no entry points, and which of the two importlib.metadata finds first is up to the file system.
    """
    for path in (VENV / "lib").glob("python*/site-packages/hybrid_features_ros-*.egg-info"):
        shutil.rmtree(path)


def build(
    sources: Sequence[Path],
    env: dict[str, str],
    output: Path,
    options: Sequence[str | Path] = (),
    cmake: Sequence[str] = (),
) -> None:
    """Run ``colcon build`` on the packages in ``sources``, with build/ and log/ under ``output``.

    Raises:
        SetupError: colcon is not installed.
    """
    if not shutil.which("colcon", path=env["PATH"]):
        raise SetupError("colcon not found: sudo apt install python3-colcon-common-extensions")
    for variable in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of the make that runs this script
        env.pop(variable, None)
    command: list[str | Path] = []
    command += ["colcon", "--log-base", output / "log", "build", "--build-base", output / "build"]
    command += ["--symlink-install", *options, "--base-paths", *sources]
    run(command + (["--cmake-args", *cmake] if cmake else []), env)


def environment() -> dict[str, str]:
    """Variables for a process that works in ``.venv``."""
    prefix = str(VENV)
    return {
        **os.environ,
        "VIRTUAL_ENV": prefix,
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "AMENT_PREFIX_PATH": prefix,
        "CMAKE_PREFIX_PATH": prefix,
        "COLCON_LOG_LEVEL": "error",  # it warns that a prefix was not made by colcon
    }


def importable(module: str) -> bool:
    question = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    return subprocess.run([PYTHON, "-c", question], check=False).returncode == 0


def pip_install(*arguments: str) -> None:
    run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments])


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
    subprocess.run(command, cwd=ROOT, env=env, check=True)


def capture(command: Sequence[str | Path]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def files(names: Iterable[str]) -> list[Path]:
    """All files under the given names, relative to the repository; caches left out."""
    found: list[Path] = []
    for path in (ROOT / name for name in names):
        inside = path.rglob("*") if path.is_dir() else [path]
        found += [p for p in inside if p.is_file() and "__pycache__" not in p.parts]
    return sorted(found)


def contents(names: Iterable[str]) -> list[str]:
    return [f"{path.relative_to(ROOT)}\n{path.read_text()}" for path in files(names)]


def digest(values: object) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def read_stamp(name: str) -> str:
    path = VENV / f"{name}.stamp"
    return path.read_text() if path.exists() else ""


def write_stamp(name: str, value: str) -> None:
    (VENV / f"{name}.stamp").write_text(value)


def say(text: str) -> None:
    print(f"make setup: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
