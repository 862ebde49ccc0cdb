# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A recording at its own rate through a process of the composed nodes: every image is accounted for."""

import os

import numpy as np
import pytest
import sequences

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.nodes import bench_realtime
from hybrid_features_ros.nodes.bench_realtime import Usage


def test_every_image_is_answered_or_dropped(tmp_path, graph):
    report = bench_realtime.bench_realtime(sequences.plain(tmp_path / "walk"))
    assert report["images"] == report["odometry"] + report["dropped"] and report["odometry"] > 0
    latency = report["latency_ms"]
    assert 0 < latency["median"] <= latency["p95"] <= latency["p99"]
    assert report["hz"] > 0 and report["cpu_share"] > 0 and report["threads"] > 1 and report["rss_mb"] > 20


def test_what_a_process_used():
    before = Usage.of(os.getpid())
    sum(float(np.sqrt(i)) for i in range(300_000))
    after = Usage.of(os.getpid())
    assert after.cpu_s >= before.cpu_s and after.threads >= 1
    assert 1 < after.rss_mb < 1e5


def test_nodes_that_say_nothing(tmp_path):
    with pytest.raises(InputError, match="no odometry for 2 images"):
        bench_realtime._report(tmp_path, {1: 0.0, 2: 0.1}, {}, [])
