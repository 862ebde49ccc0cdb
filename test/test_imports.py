# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which part of the package may know which: read from the source, nothing is imported."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "hybrid_features_ros"
ROS = {
    *("ament_index_python", "cv_bridge", "launch", "launch_ros", "message_filters", "rclpy"),
    *("rcl_interfaces", "tf2_py", "tf2_ros", "tf_transformations", "std_srvs", "builtin_interfaces"),
}


def modules() -> dict[str, Path]:
    """Dotted name and file of every module of the package."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(name: str, source: str, is_package: bool = False) -> set[str]:
    """Dotted names that a module imports, wherever in its text; relative ones resolved."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = name.split(".")
                here = here[: len(here) - node.level + is_package]
                base = ".".join([*here, *filter(None, [node.module])])
            names |= {f"{base}.{alias.name}" for alias in node.names} | {base}
    return names


@cache
def imports_of(name: str) -> set[str]:
    path = MODULES[name]
    return imported(name, path.read_text(), path.name == "__init__.py")


def inside(name: str, *parts: str) -> bool:
    """Whether a dotted name lies in one of the given parts of this package."""
    return any(name == f"{PACKAGE}.{p}" or name.startswith(f"{PACKAGE}.{p}.") for p in parts)


def is_ros(name: str) -> bool:
    top = name.split(".")[0]
    return top in ROS or top.endswith("_msgs") or inside(name, "msg")


def is_ours(name: str) -> bool:
    return name.startswith(f"{PACKAGE}.")


def outside(*parts: str) -> list[str]:
    """Modules that lie in none of the given parts."""
    return [module for module in MODULES if not inside(module, *parts)]


def offenders(modules: Iterable[str], is_forbidden: Callable[[str], bool]) -> dict[str, set[str]]:
    """Those that import what they must not, and what that is."""
    found = {module: set(filter(is_forbidden, imports_of(module))) for module in modules}
    return {module: names for module, names in found.items() if names}


def test_the_reader_sees_every_form_of_import() -> None:
    source = "import a.b\nfrom c import d\ndef f():\n    from ..msg import E\n    from . import g\n"
    assert {"a.b", "c.d", f"{PACKAGE}.msg.E", f"{PACKAGE}.x.g"} <= imported(f"{PACKAGE}.x.y", source)
    assert f"{PACKAGE}.x.h" in imported(f"{PACKAGE}.x", "from . import h", is_package=True)
    assert is_ros("sensor_msgs.msg.Image")
    assert is_ros(f"{PACKAGE}.msg.FeatureArray")
    assert not is_ros(f"{PACKAGE}.types")


def test_offenders_are_found() -> None:
    assert f"{PACKAGE}.nodes.conversions" in offenders(MODULES, is_ros)


def test_only_nodes_know_ros() -> None:
    assert not offenders(outside("nodes"), is_ros)


def test_only_nodes_and_the_command_line_know_nodes() -> None:
    assert not offenders(outside("nodes", "cli"), lambda name: inside(name, "nodes"))


# The rooms from the ground up: what each may import besides its own modules.
GROUND = ("core", "matching", "geometry", "features", "io")
MAY_IMPORT = {
    "core": (),
    "matching": ("core",),
    "geometry": ("core",),
    "features": ("core", "matching", "geometry"),
    "io": ("core",),
    "odometry": ("core", "matching", "geometry"),
    "simulation": ("core", "io"),
    "evaluation": (*GROUND, "odometry"),
    "benchmarks": (*GROUND, "odometry", "simulation", "evaluation"),
    "visualization": (*GROUND, "odometry", "evaluation"),
}


def test_no_room_imports_one_above() -> None:
    rooms = list(MAY_IMPORT)
    for i, (room, below) in enumerate(MAY_IMPORT.items()):
        assert set(below) <= set(rooms[:i]), room


def test_no_room_holds_more_than_a_fifth_of_the_lines() -> None:
    lines: Counter[str] = Counter()
    for module, path in MODULES.items():
        parts = module.split(".")
        lines[parts[1] if len(parts) > 1 else ""] += len(path.read_text().splitlines())
    room, most = lines.most_common(1)[0]
    assert most <= 0.2 * lines.total(), f"{room} holds {most} of {lines.total()} lines"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_stands_on_those_below(room: str) -> None:
    modules = [module for module in MODULES if inside(module, room)]
    assert not offenders(modules, lambda name: is_ours(name) and not inside(name, room, *MAY_IMPORT[room]))


def test_nobody_imports_training() -> None:
    assert not offenders(outside("training", "cli"), lambda name: inside(name, "training"))


def test_torch_stays_in_training_and_the_engine() -> None:
    elsewhere = outside("training", "features.engine", "features.torch_engine")
    assert not offenders(elsewhere, lambda name: name.split(".")[0] in ("torch", "torchvision"))
