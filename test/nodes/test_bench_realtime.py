# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A recording at its own rate through a process of the composed nodes: every image is accounted for."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import sequences

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from hybrid_features_ros.cli.main import main
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.threads import name_thread
from hybrid_features_ros.nodes import bench_realtime, composition
from hybrid_features_ros.nodes.bench_realtime import Usage
from hybrid_features_ros.nodes.composition import visual_odometry


@pytest.mark.parametrize("tracking", ["every_frame", "between_keyframes"])
def test_every_image_is_answered_or_dropped(tmp_path, graph, tracking):
    settings = [f"features.tracking={tracking}"]
    report = bench_realtime.bench_realtime(sequences.plain(tmp_path / "walk"), cores=1, settings=settings)
    assert report["protocol"]["set"] == settings
    assert report["protocol"]["reliability"] == "reliable", "as the player offers it"
    assert report["protocol"]["cores"] == 1 and len(os.sched_getaffinity(0)) >= 1
    assert 0 <= report["dropped_later"] <= report["dropped"]
    used = [report["cpu_ms"][name] for name in ("executor", "features", "odometry")]
    assert min(used) >= 0 and sum(used) > 0  # some need less than the kernel counts
    assert report["images"] == report["odometry"] + report["dropped"] and report["odometry"] > 0
    latency = report["latency_ms"]
    assert 0 < latency["median"] <= latency["p95"] <= latency["p99"]
    assert report["hz"] > 0 and report["cpu_share"] > 0 and report["threads"] > 1 and report["rss_mb"] > 20


def test_every_parameter_of_the_nodes_is_taken(tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr(bench_realtime, "bench_realtime", lambda *given: taken.append(given) or {})
    settings = ["features.own_process=true", "input.queue=3"]
    options = [word for text in settings for word in ("--set", text)]
    assert main(["bench", "realtime", str(tmp_path), *options]) in (0, None)
    assert taken == [(tmp_path, 0, settings)]
    with pytest.raises(SystemExit, match="unknown parameter"):
        main(["bench", "realtime", str(tmp_path), "--set", "features.no=1"])


def test_parameters_reach_the_nodes():
    with visual_odometry("/camera/image", settings=["features.tracking=between_keyframes"]) as process:
        assert "features.tracking:=between_keyframes" in process.args


def test_nodes_that_do_not_end_are_not_left_to_themselves(monkeypatch):
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    start = subprocess.Popen
    monkeypatch.setattr(composition, "ENDS_S", 0.2)
    monkeypatch.setattr(
        subprocess, "Popen", lambda _: start([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    )
    with pytest.raises(subprocess.TimeoutExpired), visual_odometry("/camera/image") as process:
        assert process.stdout.readline() == b"ready\n"
    assert process.wait(10) == -signal.SIGKILL


def test_more_cores_than_there_are(tmp_path):
    (tmp_path / "metadata.yaml").touch()
    with pytest.raises(InputError, match="this process may use"):
        bench_realtime.bench_realtime(tmp_path, cores=10_000)


def test_what_a_process_used():
    before = Usage.of(os.getpid())
    sum(float(np.sqrt(i)) for i in range(300_000))
    after = Usage.of(os.getpid())
    assert after.cpu_s >= before.cpu_s and after.threads >= 1
    assert 1 < after.rss_mb < 1e5
    assert 0 < sum(after.by_thread.values()) < after.cpu_s + 0.1  # those of ended threads are missing


def test_named_threads_are_told_apart():
    named, done = threading.Event(), threading.Event()

    def work():
        name_thread("features")
        named.set()
        done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    named.wait(10)
    comm = Path(f"/proc/self/task/{thread.native_id}/comm")
    assert comm.read_text().strip() == "features"
    done.set()
    thread.join()


def test_nodes_that_say_nothing(tmp_path):
    with pytest.raises(InputError, match="no odometry for 2 images"):
        bench_realtime._report(tmp_path, {1: 0.0, 2: 0.1}, {}, [])
