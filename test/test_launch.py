# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Launch file, default parameters and RViz configuration fit the nodes."""

import ast
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hybrid_features_ros.core.config import Config, options, with_options

ROOT = Path(__file__).parents[1]


def flattened(tree, prefix=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def test_the_default_parameters_are_known_and_valid():
    content = yaml.safe_load((ROOT / "config" / "vo.yaml").read_text())
    values = dict(flattened(content["/**"]["ros__parameters"]))
    assert {"frames.base", "features.max_keypoints"} <= set(values)
    assert with_options(Config(), values) == Config(), "the file and config.py disagree about a default"
    assert set(values) <= {o.name for o in options(Config())}


def test_the_light_parameters_are_known_and_lighter():
    content = yaml.safe_load((ROOT / "config" / "light.yaml").read_text())
    light = with_options(Config(), dict(flattened(content["/**"]["ros__parameters"])))
    assert light.features.max_keypoints < Config().features.max_keypoints
    assert light.odometry.mapping.iterations < Config().odometry.mapping.iterations


def test_rviz_shows_trajectory_tf_and_features():
    content = yaml.safe_load((ROOT / "rviz" / "vo.rviz").read_text())
    manager = content["Visualization Manager"]
    shown = {d["Class"].split("/")[1]: d.get("Topic", {}).get("Value") for d in manager["Displays"]}
    assert {"TF", "Path", "Odometry", "Marker", "Image"} <= set(shown)
    topics = [d["Topic"]["Value"] for d in manager["Displays"] if "Topic" in d]
    assert topics == ["path", "odom", "match_markers", "image", "image_features"]
    assert manager["Global Options"]["Fixed Frame"] == "odom"


@pytest.fixture
def launched():
    """Nodes and processes that the launch file starts for some arguments."""
    pytest.importorskip("launch_ros", reason="launch is not installed: it comes with ROS 2, not from PyPI")
    from launch.actions import DeclareLaunchArgument, ExecuteProcess, GroupAction, OpaqueFunction
    from launch_ros.actions import Node

    from launch import LaunchContext

    spec = importlib.util.spec_from_file_location("vo_launch", ROOT / "launch" / "vo.launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def start(**arguments):
        context = LaunchContext()
        context.launch_configurations.update({k: str(v) for k, v in arguments.items()})
        found = []

        def visit(action):
            if isinstance(action, DeclareLaunchArgument):
                # launch itself adds the choices to what the file says.
                assert re.search(r"\.( Valid choices are.*)?$", action.description), action.name
                action.execute(context)
            elif isinstance(action, (GroupAction, OpaqueFunction)):
                inner = (
                    action.get_sub_entities() if isinstance(action, GroupAction) else action.execute(context)
                )
                for entity in inner or []:
                    visit(entity)
            elif isinstance(action, (Node, ExecuteProcess)):
                found.append(action)

        for entity in module.generate_launch_description().entities:
            visit(entity)
        return found, context

    return start


def names(found):
    return [n.node_executable for n in found if hasattr(n, "node_executable")]


def test_composed_and_separate(launched):
    assert names(launched()[0])[:1] == ["vo_node"]
    assert names(launched(composed="false")[0])[:2] == ["feature_node", "odometry_node"]


def test_a_bag_is_played(launched, tmp_path):
    found, _ = launched(bag=tmp_path, rate="2.0")
    assert len(found) == len(launched()[0]) + 1


def remappings(node, context):
    from launch.utilities import perform_substitutions

    return {
        perform_substitutions(context, list(a)): perform_substitutions(context, list(b))
        for a, b in node.expanded_remapping_rules or node._Node__remappings
    }


def test_camera_info_lies_beside_the_image(launched):
    found, context = launched(image="/cam/left/image_raw")
    assert remappings(found[0], context)["camera_info"] == "/cam/left/camera_info"
    found, context = launched(image="/cam/left/image_raw", camera_info="/calibration")
    assert remappings(found[0], context)["camera_info"] == "/calibration"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"bag": "/no/such/bag"}, "bag:=/no/such/bag: no such file"),
        ({"params_file": "/no/such.yaml"}, "params_file:=/no/such.yaml: no such file"),
        ({"rate": "fast"}, "rate:=fast: give a number above 0"),
        ({"rate": "0"}, "rate:=0: give a number above 0"),
        ({"composed": "maybe"}, "composed:=maybe: give one of true"),
        ({"left": "/left/image_rect"}, "a pair needs both topics"),
        ({"transport": "theora"}, "theora"),
        ({"log_level": "loud"}, "loud"),
    ],
)
def test_arguments_that_cannot_work_are_refused_before_anything_starts(launched, arguments, line):
    with pytest.raises(RuntimeError, match=line):
        launched(**arguments)


def test_rviz_that_is_not_installed_is_missed_before_the_nodes_start(launched, monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(ROOT / "none"))
    with pytest.raises(RuntimeError, match="rviz2 is not installed"):
        launched(rviz="true")


class Event:
    """What launch tells of a process that has ended."""

    def __init__(self, returncode):
        self.returncode, self.process_name = returncode, "vo_node-1"


@pytest.fixture(scope="module")
def vo():
    """The functions and tables of vo.launch.py, which need no launch to be understood."""
    tree = ast.parse((ROOT / "launch" / "vo.launch.py").read_text())
    tree.body = [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.Assign))]
    names = {"Path": Path, "get_package_share_directory": lambda package: "/share"}
    names |= {"EmitEvent": lambda event: event, "Shutdown": lambda reason: reason}
    exec(compile(tree, "vo.launch.py", "exec"), names)
    return names


def given(vo, **arguments):
    return {name: value for name, value, _ in vo["ARGUMENTS"]} | arguments


BOOLEANS = {"rectified": "input.rectified", "publish_tf": "frames.publish_tf", "autostart": "autostart"}


@pytest.mark.parametrize("argument", BOOLEANS)
@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *((word, True) for word in ("true", "True", "TRUE", "1", "yes", "On")),
        *((word, False) for word in ("false", "False", "FALSE", "0", "no", "OFF")),
    ],
)
def test_booleans_in_every_spelling(vo, argument, word, meant):
    assert vo["parameters"](given(vo, **{argument: word})) == {BOOLEANS[argument]: meant}


@pytest.mark.parametrize("argument", [*BOOLEANS, "composed", "rviz", "use_sim_time"])
@pytest.mark.parametrize("word", ["flase", "2", "nope", "none"])
def test_other_words_are_refused_with_the_valid_ones(vo, argument, word):
    with pytest.raises(RuntimeError, match=f"{argument}:={word}: give one of true, .*false"):
        vo["truth"](argument, given(vo, **{argument: word}))


def test_what_is_not_given_is_left_to_the_file(vo):
    assert vo["parameters"](given(vo)) == {}
    assert [name for name, _ in vo["remappings"](given(vo))] == ["image", "image/compressed", "camera_info"]


def test_what_is_given_is_said(vo):
    arguments = given(vo, depth="/d", imu="none", left="/l/i", right="/r/i", transport="compressed", base="b")
    assert vo["parameters"](arguments) == {
        "input.depth": True,
        "input.imu": False,
        "input.stereo": True,
        "input.transport": "compressed",
        "frames.base": "b",
    }
    rules = dict(vo["remappings"](arguments))
    assert rules["depth/image"] == "/d"
    assert rules["right/camera_info"] == "/r/camera_info"
    assert "imu" not in rules


def test_half_a_pair_is_refused(vo):
    with pytest.raises(RuntimeError, match="a pair needs both topics"):
        vo["check"](given(vo, params_file="", left="/l/i"))


def test_a_process_that_failed_fails_the_launch(vo):
    going, ending = (type("Context", (), {"is_shutdown": flag})() for flag in (False, True))
    for code in (1, -9, 139):
        with pytest.raises(RuntimeError, match=f"vo_node-1 ended with exit code {code}"):
            vo["ended"](Event(code), going)
        assert vo["ended"](Event(code), ending) == ["vo_node-1 ended"], "it was told to end"
    assert vo["ended"](Event(0), going) == ["vo_node-1 ended"]


def test_cameras_are_other_defaults_of_the_main_launch_file(vo):
    assert all(text.endswith((".", ").")) for _, _, text in vo["ARGUMENTS"])
    assert {"rgbd_vo", "stereo_vo", "realsense", "usb_cam", "zed", "oak"} == set(vo["CAMERAS"])
    for camera, defaults in vo["CAMERAS"].items():
        arguments = given(vo, **defaults)
        assert set(defaults) <= {name for name, _, _ in vo["ARGUMENTS"]}
        assert with_options(Config(), vo["parameters"](arguments)), "no contradiction"
        text = (ROOT / "launch" / f"{camera}.launch.py").read_text()
        assert f'generate_launch_description("{camera}")' in text
    assert (ROOT / "launch" / "evaluate_bag.launch.py").exists()


@pytest.fixture
def ros2_launch():
    """Start `ros2 launch` with a file of ours, in a domain of its own; returns the process."""
    if not shutil.which("ros2"):
        pytest.skip("ros2 launch is not installed: it comes with ROS 2, not from PyPI")
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    started = []

    def start(name, *arguments):
        command = ["ros2", "launch", str(ROOT / "launch" / name), *arguments]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_ros2_launch_fails_with_a_node_that_cannot_start(ros2_launch, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("/**: {ros__parameters: {features: {max_keypoints: -3}}}")
    process = ros2_launch("vo.launch.py", f"params_file:={bad}")
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "max_keypoints" in output


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("vo.launch.py", [], {"input.depth": True, "input.rectified": True, "frames.publish_tf": False}),
        ("realsense.launch.py", ["depth:=none"], {"input.depth": False, "frames.base": "camera_link"}),
        (
            "oak.launch.py",
            ["publish_tf:=True", "rectified:=0"],
            {"frames.publish_tf": True, "input.rectified": False},
        ),
    ],
)
def test_ros2_launch_gives_the_nodes_what_file_and_arguments_say(
    ros2_launch, tmp_path, name, arguments, expected
):
    file = tmp_path / "some.yaml"
    values = {"input": {"depth": True, "rectified": True}, "frames": {"publish_tf": False}}
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": values}}))
    ros2_launch(name, f"params_file:={file}", "namespace:=robot", *arguments)
    rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")
    from rcl_interfaces.srv import GetParameters
    from rclpy.parameter import parameter_value_to_python

    rclpy.init()
    tester = rclpy.create_node("tester")
    client = tester.create_client(GetParameters, "/robot/odometry_node/get_parameters")
    try:
        assert client.wait_for_service(40.0)
        future = client.call_async(GetParameters.Request(names=list(expected)))
        rclpy.spin_until_future_complete(tester, future, timeout_sec=20.0)
        found = [parameter_value_to_python(v) for v in future.result().values]
        assert dict(zip(expected, found, strict=True)) == expected
    finally:
        tester.destroy_node()
        rclpy.shutdown()


def test_the_launch_file_brings_the_nodes_up():
    """What `colcon test` runs through launch_testing, in a domain of its own."""
    pytest.importorskip("launch_testing", reason="launch_testing comes with ROS 2, not from PyPI")
    test = ROOT / "test" / "launch" / "vo_launch_test.py"
    command = [sys.executable, "-m", "launch_testing.launch_test", str(test)]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(1 + os.getpid() % 100)}
    assert subprocess.run(command, env=environment, timeout=120, check=False).returncode == 0
