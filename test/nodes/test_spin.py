# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Executables end with one line at most, whatever ends them."""

import itertools
import json
import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from ros_graph import image_msg, info_msg
from sensor_msgs.msg import CameraInfo, Image

from hybrid_features_ros.msg import OdometryStatus


@pytest.fixture
def executable():
    """Start a node's module in a process with parameters; returns the process."""
    started = []

    def start(module, *arguments, **parameters):
        command = [sys.executable, "-m", f"hybrid_features_ros.nodes.{module}", *arguments, "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name.replace('__', '.')}:={value}"]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_an_interrupt_in_the_midst_of_work_ends_quietly(graph, executable, photograph):
    process = executable("vo_node", input__queue=100)
    images = graph.tester.create_publisher(Image, "image", 100)
    info = graph.tester.create_publisher(CameraInfo, "camera_info", 5)
    status = graph.listen(OdometryStatus, "status")
    assert graph.spin_until(
        lambda: images.get_subscription_count() and info.get_subscription_count(), seconds=30
    )
    info.publish(info_msg(1, 320, 240, 300.0))
    stamps = itertools.count(10**9, 10**8)

    def answered():
        images.publish(image_msg(photograph, next(stamps)))  # more than the node can do: it is always at work
        return status

    assert graph.spin_until(answered, seconds=30)
    for _ in range(10):  # under `ros2 launch` there is more than one
        process.send_signal(signal.SIGINT)
        graph.spin_until(lambda: False, seconds=0.01)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"features__max_keypoints": "many"}, "error: parameter features.max_keypoints"),
        ({"features__max_keypoints": -3}, "error: parameter features.max_keypoints"),
        ({"features__extractor": "magic"}, "magic"),
        ({"use_sim_time": "'true'"}, "use_sim_time as true or false without quotes"),
        ({"use_sim_time": 1}, "use_sim_time as true or false without quotes"),
    ],
)
def test_a_parameter_that_cannot_be_used_ends_with_one_line(graph, executable, parameters, line):
    process = executable("vo_node", **parameters)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert len(output.splitlines()) == 1
    assert line in output


@pytest.mark.parametrize("module", ["vo_node", "bag_player"])
def test_a_parameter_file_that_cannot_be_read_ends_with_one_error(executable, module, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("/**: [")
    process = executable(module, str(tmp_path), "--ros-args", "--params-file", str(bad))
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert output.splitlines()[-1].startswith("error: ") and str(bad) in output
    assert "Traceback" not in output


@pytest.mark.parametrize(("module", "arguments"), [("bag_player", []), ("demo", ["--data"])])
def test_a_bag_that_is_not_there_ends_with_one_line(executable, tmp_path, module, arguments):
    process = executable(module, *arguments, str(tmp_path / "none"))
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert output == f"error: {tmp_path / 'none'}: no such file or folder\n"


POOLS = """
import json, hybrid_features_ros.nodes.vo_node, scipy.linalg
from threadpoolctl import threadpool_info
print(json.dumps([p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]))
"""


@pytest.mark.parametrize(("asked", "threads"), [(None, 1), ("2", 2)])
def test_linear_algebra_has_one_thread_in_a_node_unless_the_environment_says_otherwise(asked, threads):
    pytest.importorskip("threadpoolctl", reason="threadpoolctl comes with scikit-learn: pip install .[demo]")
    if threads > (os.cpu_count() or 1):
        pytest.skip("this machine has one core")
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    environment |= {"OPENBLAS_NUM_THREADS": asked} if asked else {}
    command = [sys.executable, "-c", POOLS]
    found = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    # The distribution's OpenCV, which cv_bridge links, may bring one more library, built for one thread.
    assert max(json.loads(found)) == threads


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("vo_node", ["--imgae:=/camera"], "unknown arguments --imgae:=/camera"),
        ("bag_player", ["bag", "--rate", "nan"], "--rate nan: give a number above 0"),
    ],
)
def test_arguments_that_nobody_reads_are_refused(executable, module, arguments, said):
    process = executable(module, *arguments)
    output, _ = process.communicate(timeout=30)
    assert process.returncode and said in output and "Traceback" not in output


def test_a_demo_onto_a_file_is_one_line(executable, tmp_path):
    (tmp_path / "out").write_text("")
    process = executable("demo", "--out", str(tmp_path / "out"))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and output.startswith("error:") and "cannot make this folder" in output
