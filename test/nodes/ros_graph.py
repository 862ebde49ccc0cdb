# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes under test in one executor, and the messages they are fed with."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header


class Graph:
    """Nodes under test and a tester, in one executor."""

    def __init__(self) -> None:
        self.executor = SingleThreadedExecutor()
        self.nodes: list[Node] = []
        self.received: dict[str, list[Any]] = {}
        self.tester = self.add(Node("tester"))

    def add(self, node: Node) -> Node:
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def listen(self, kind: Any, topic: str, qos: Any = 100) -> list[Any]:
        messages: list[Any] = []
        self.received[topic] = messages
        self.tester.create_subscription(kind, topic, messages.append, qos)
        return messages

    def spin_until(self, ready: Callable[[], Any], seconds: float = 10.0) -> bool:
        deadline = monotonic() + seconds
        while not ready():
            if monotonic() > deadline:
                return False
            self.executor.spin_once(timeout_sec=0.02)
        return True

    def close(self) -> None:
        for node in self.nodes:
            node.destroy_node()
        self.executor.shutdown()


def parameters(**values: Any) -> list[Parameter]:
    """Parameter overrides; two underscores stand for a dot."""
    return [Parameter(name.replace("__", "."), value=value) for name, value in values.items()]


def header(ns: int, frame: str = "camera_optical_frame") -> Header:
    return Header(stamp=Time(sec=ns // 10**9, nanosec=ns % 10**9), frame_id=frame)


def image_msg(image: np.ndarray, ns: int, frame: str = "camera_optical_frame") -> Image:
    encoding = "mono8" if image.ndim == 2 else "bgr8"
    return Image(
        header=header(ns, frame), height=image.shape[0], width=image.shape[1], encoding=encoding,
        step=image.strides[0], data=image.tobytes(),
    )  # fmt: skip


def info_msg(ns: int, width: int = 640, height: int = 480, focal: float = 525.0) -> CameraInfo:
    k = [focal, 0.0, width / 2 - 0.5, 0.0, focal, height / 2 - 0.5, 0.0, 0.0, 1.0]
    return CameraInfo(
        header=header(ns), width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5, k=k,
        p=[*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0], r=[1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0],
    )  # fmt: skip
