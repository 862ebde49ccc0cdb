# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ROS parameters from the configuration dataclasses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from hybrid_features_ros.core.config import Config, Option, options, unknown_option, with_options
from hybrid_features_ros.core.errors import InputError

NODES = ("feature_node", "odometry_node")
_FOREIGN = ("use_sim_time", "qos_overrides.", "start_type_description_service")


def declare(node: Node, *sections: str) -> Config:
    """Declare the options of some sections on a node and read what was given for them.

    A name that exists nowhere in the configuration is logged as an error (rclpy would ignore it); names
    of other sections are not, since one YAML file serves several nodes.

    Raises:
        InputError: a value has the wrong type or lies out of range.
    """
    everything = list(options(Config()))
    _report_misspelt(node, [o.name for o in everything])
    mine = [o for o in everything if o.name.split(".")[0] in (*sections, "autostart")]
    _accept_whole_numbers(node, mine)
    values = {}
    for o in mine:
        try:
            values[o.name] = node.declare_parameter(o.name, o.value, descriptor(o)).value
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise InputError(f"parameter {o.name}: {error} ({o.description})") from None
    config: Config = with_options(Config(), values)
    return config


def follow(node: Node, config: Config, change: Callable[[Config], None]) -> None:
    """Give run-time changes to ``change``: all values of one request together, or none.

    What is raised on the way refuses the request: the node's callbacks are guarded.

    Args:
        config: what :func:`declare` returned.
        change: takes the new configuration, or raises.
    """
    current = [config]

    def on_set(changed: Sequence[Parameter]) -> SetParametersResult:
        known = {o.name for o in options(current[0])}
        values = {p.name: p.value for p in changed if p.name in known}
        if values:
            wanted = with_options(current[0], values)
            change(wanted)
            current[0] = wanted
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(on_set)


def is_given(node: Node, name: str) -> bool:
    """Whether a file or a command line has given this parameter to the node."""
    return name in _overrides(node)


def report_unused_sections(nodes: Sequence[Node], arguments: Sequence[str]) -> None:
    """Log as an error what a parameter file says under a name that no node has, such as the executable's.

    Args:
        nodes: of this process.
        arguments: its command line, with ``--params-file``.
    """
    known = {o.name for o in options(Config())}
    paths = [b for a, b in pairwise(arguments) if a == "--params-file"]
    for path in paths:
        try:
            sections = dict(_sections(yaml.safe_load(Path(path).read_text()), ""))
        except (OSError, UnicodeError, yaml.YAMLError):
            continue  # ROS itself has read it, or has told why not
        for name, values in sections.items():
            lost = known.intersection(_flattened(values, ""))
            ours = name.rpartition("/")[2] in NODES or any(_matches(name, node) for node in nodes)
            if lost and not ours:
                nodes[0].get_logger().error(
                    f"{path}: {', '.join(sorted(lost))} under {name.lstrip('/')!r}, which is no node's name, "
                    f"ignored: write /** or {' and '.join(NODES)}"
                )


def table() -> str:
    """Every parameter as a table in Markdown: the contents of ``docs/parameters.md``."""
    lines = ["| parameter | default | values | at run time | meaning |", "|---|---|---|---|---|"]
    for o in options(Config()):
        values = ", ".join(o.choices) or type(o.value).__name__
        if o.low is not None and o.high is not None:
            values = f"[{o.low:.10g}, {o.high:.10g}]"
        default = f'"{o.value}"' if isinstance(o.value, str) else f"{o.value}".lower()
        meaning = o.description.replace("|", "\\|")
        lines.append(f"| `{o.name}` | {default} | {values} | {'yes' if o.live else 'no'} | {meaning} |")
    return "\n".join([_TABLE_HEAD, *lines]) + "\n"


_TABLE_HEAD = """# Parameters

Made from `hybrid_features_ros/core/config.py` by `make docs`; a test compares them. `feature_node` takes
`features` and `input`, `odometry_node` takes `odometry`, `frames` and `input`; one YAML file may serve
both. `ros2 param describe NODE PARAMETER` shows the same texts, `ros2 param set` changes what is marked
as changeable at run time: the values of one request are checked together and taken together. A name in a
YAML file that is no parameter is logged as an error.
"""


def descriptor(o: Option) -> ParameterDescriptor:
    """Description, range and choices of an option as ``ros2 param describe`` shows them."""
    result = ParameterDescriptor(description=o.description, read_only=not o.live)
    if o.choices:
        result.additional_constraints = "one of " + ", ".join(o.choices)
    if o.low is not None and o.high is not None:
        if isinstance(o.value, float):
            result.floating_point_range = [
                FloatingPointRange(from_value=float(o.low), to_value=float(o.high))
            ]
        else:
            result.integer_range = [IntegerRange(from_value=int(o.low), to_value=int(o.high), step=1)]
    return result


def _report_misspelt(node: Node, known: list[str]) -> None:
    for name in _overrides(node):
        if name not in known and not name.startswith(_FOREIGN):
            node.get_logger().error(f"{unknown_option(name, known)} (ignored)")


def _sections(tree: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Names of nodes in a parameter file, below their namespaces, and what it says under them."""
    for key, inner in tree.items() if isinstance(tree, dict) else ():
        if key == "ros__parameters":
            yield name, inner
        else:
            yield from _sections(inner, f"{name}/{str(key).strip('/')}")


def _flattened(tree: Any, prefix: str) -> Iterator[str]:
    for key, inner in tree.items() if isinstance(tree, dict) else ():
        yield f"{prefix}{key}"
        yield from _flattened(inner, f"{prefix}{key}.")


def _matches(section: str, node: Node) -> bool:
    """Whether ROS applies a section to a node: * stands for one name, ** for any number of names."""
    wild = re.escape(section).replace(r"/\*\*", "(/[^/]+)*").replace(r"\*", "[^/]+")
    return re.fullmatch(wild, node.get_fully_qualified_name()) is not None


def _accept_whole_numbers(node: Node, mine: list[Option]) -> None:
    """Let YAML say ``ratio: 1`` where a float is meant."""
    given = _overrides(node)
    for o in mine:
        if isinstance(o.value, float) and o.name in given and given[o.name].type_ == Parameter.Type.INTEGER:
            given[o.name] = Parameter(o.name, value=float(given[o.name].value))


def _overrides(node: Node) -> dict[str, Any]:
    overrides: dict[str, Any] = node._parameter_overrides  # rclpy offers no public way to see them
    return overrides
