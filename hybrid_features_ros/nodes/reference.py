# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The reference pages of the documentation, made from what the code really declares.

``python3 -m hybrid_features_ros.nodes.reference ROOT`` (``make docs``) writes ``docs/parameters.md``,
``docs/interface.md``, ``docs/commands.md``, ``docs/api.md`` and the tables of benchmarks and formats in
README and docs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor

from hybrid_features_ros.benchmarks.tables import fill, tables
from hybrid_features_ros.cli.main import make_parser
from hybrid_features_ros.io import formats
from hybrid_features_ros.nodes import api_reference, parameters
from hybrid_features_ros.nodes.vo_node import compose

PATIENCE_S = 20.0
# Every way to feed the nodes: what is subscribed to differs.
INPUTS = {
    "": [],
    "with `input.depth`": ["input.depth:=true"],
    "with `input.imu`": ["input.imu:=true"],
    "with `input.prior`": ["input.prior:=true"],
    "with `input.stereo`": ["input.stereo:=true"],
    "with `input.transport: compressed`": ["input.transport:=compressed"],
}
MEANINGS = {
    "/image": "one camera, in every encoding that drivers send (mono, BGR, RGB, Bayer, YUV; 8 or 16 bits)",
    "/camera_info": "its calibration",
    "/image/compressed": "the same as JPEG or PNG",
    "/depth/image": "16UC1 [mm] or 32FC1 [m], registered to the image (REP-118)",
    "/left/image_rect": "left camera of a rectified pair",
    "/right/image_rect": "right camera of a rectified pair",
    "/left/camera_info": "its calibration",
    "/right/camera_info": "its calibration; the baseline is in P",
    "/imu": "gyroscope [rad/s], turned into the camera's frame by TF",
    "/prior": "another odometry (wheels): its poses are a measurement of the motion between images, with the "
    "covariance of its twist; TF says where the camera sits on its child frame",
    "/tf": "odom -> base_link, or its inverse, is broadcast; mounting of the camera (base_link -> camera): "
    "listened to with `frames.base`, `frames.guess` or `input.prior`",
    "/tf_static": "mounting of the camera (base_link -> camera), as `/tf`",
    "/features": "keypoints with score, scale, angle, sigma; descriptors; published only with a subscriber",
    "/odom": "pose in `odom`, twist in the child frame, full covariances",
    "/status": "for every image: state, reason, counts, milliseconds of each stage",
    "/matches": "correspondences with the reference keyframe, and which are inliers",
    "/relative_pose": "motion since the reference keyframe, its model and covariance",
    "/keyframes": "features and pose of each image that became a keyframe; published only with a subscriber",
    "/rgbd_image": "images with our features for RTAB-Map, where rtabmap_msgs is installed",
    "/path": "the newest poses",
    "/image_features": "the image with features and tracks; drawn only with a subscriber",
    "/match_markers": "inliers as lines in the camera's frame; drawn only with a subscriber",
    "/diagnostics": "rates, latency, drops, state and its reason, once a second; ERROR if every input fails",
    "~/reset": "forget the map, continue from the last pose",
    "~/reset_to_pose": "continue from a pose of the base in odom",
    "~/pause": "ignore images",
    "~/resume": "process images again",
    "~/save_trajectory": "write the poses so far as a TUM or KITTI file",
}
_OF_ROS = ("/parameter_events", "/rosout")


@dataclass(frozen=True)
class Endpoint:
    """One topic or service of a node."""

    node: str
    kind: str  # subscribes, publishes, service
    name: str
    type: str


def interface() -> str:
    """Topics, services and messages as a page in Markdown.

    Raises:
        KeyError: a topic or service has no meaning in this module.
    """
    endpoints: dict[Endpoint, str] = {}
    for condition, overrides in INPUTS.items():
        for endpoint in _endpoints(overrides):
            endpoints.setdefault(endpoint, condition)
    lines = [
        "# Interface",
        "",
        "Made from the running nodes by `make docs`; a test compares them. Names are relative, all can be",
        "remapped, the quality of service of each can be overridden (`qos_overrides`). Parameters have",
        "[a page of their own](parameters.md).",
    ]
    for kind, title in (("subscribes", "Subscribed"), ("publishes", "Published"), ("service", "Services")):
        lines += ["", f"## {title}", "", "| name | type | node | meaning |", "|---|---|---|---|"]
        for e, condition in endpoints.items():
            if e.kind == kind:
                name = e.name if e.name in ("/tf", "/tf_static", "/diagnostics") else e.name.lstrip("/")
                meaning = MEANINGS[e.name] + (f"; {condition}" if condition else "")
                lines.append(f"| `{name}` | {e.type} | {e.node} | {meaning} |")
    return "\n".join([*lines, "", *_messages()]) + "\n"


def commands() -> str:
    """Every command of ``hybrid-features`` with its help."""
    os.environ["COLUMNS"] = "100"  # argparse breaks its lines at this width
    lines = ["# Commands", "", "Made from the parser by `make docs`; a test compares them.", ""]
    for parser in _leaves(make_parser()):
        lines += [
            f"## {parser.prog.partition(' ')[2]}",
            "",
            "```text",
            parser.format_help().rstrip(),
            "```",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def pages(root: Path) -> dict[Path, str]:
    """Every generated page, or page with generated tables, below the repository's root."""
    found = tables(json.loads((root / "docs" / "bench.json").read_text()))
    filled = {
        path: fill(path.read_text(), found) for path in (root / "README.md", root / "docs" / "benchmarks.md")
    }
    evaluation = root / "docs" / "evaluation.md"
    return {
        **filled,
        evaluation: formats.fill(evaluation.read_text()),
        root / "docs" / "parameters.md": parameters.table(),
        root / "docs" / "interface.md": interface(),
        root / "docs" / "commands.md": commands(),
        root / "docs" / "api.md": api_reference.page(),
    }


def _endpoints(overrides: list[str]) -> Iterator[Endpoint]:
    """What the composed nodes declare once they are active."""
    rclpy.init(args=["--ros-args", "--log-level", "error", *(w for o in overrides for w in ("-p", o))])
    nodes = compose()
    executor = SingleThreadedExecutor()
    for node in nodes:
        executor.add_node(node)
    deadline = monotonic() + PATIENCE_S
    while not all(_is_active(n) for n in nodes) and monotonic() < deadline:
        executor.spin_once(timeout_sec=0.05)
    for node in nodes:
        name = node.get_name()
        for made in node.subscriptions:
            yield Endpoint(name, "subscribes", made.topic_name, _type(made.msg_type))
        for made in node.publishers:
            if made.topic_name not in _OF_ROS:
                yield Endpoint(name, "publishes", made.topic_name, _type(made.msg_type))
        for made in node.services:
            if made.srv_name.startswith("~/"):
                yield Endpoint(name, "service", made.srv_name, _type(made.srv_type))
    executor.shutdown()
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown()


def _is_active(node: Any) -> bool:
    state: str = node._state_machine.current_state[1]  # rclpy tells it through a service only
    return state == "active"


def _type(interface_class: Any) -> str:
    package, kind, *_ = interface_class.__module__.split(".")
    return f"{package}/{kind}/{interface_class.__name__}"


def _messages() -> list[str]:
    """The definitions of this package's own messages and services."""
    root = Path(__file__).resolve().parents[2]
    lines = ["## Messages and services of this package"]
    for path in sorted([*root.glob("msg/*.msg"), *root.glob("srv/*.srv")]):
        text = "".join(x for x in path.read_text().splitlines(True) if not x.startswith("# SPDX-"))
        lines += ["", f"### {path.stem}", "", "```text", text.strip(), "```"]
    return lines


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not inner:
        yield parser
    for action in inner:
        for child in action.choices.values():
            yield from _leaves(child)


def main() -> None:
    """Write every page anew."""
    for path, text in pages(Path(sys.argv[1] if len(sys.argv) > 1 else ".")).items():
        path.write_text(text)
        print(path)


if __name__ == "__main__":
    main()
