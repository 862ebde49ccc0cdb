"""Launch file, default parameters and RViz configuration fit the nodes."""

import ast
import importlib.util
import os
import re
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
    assert {"TF", "Path", "Odometry", "Image"} <= set(shown)
    topics = [d["Topic"]["Value"] for d in manager["Displays"] if "Topic" in d]
    assert topics == ["path", "odom", "image", "image_features"]
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
        ({"composed": "maybe"}, "maybe"),
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


def literal(path, name):
    """The value of a table of names, values and texts in a launch file; calls in it count as text."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return [[getattr(e, "value", None) for e in row.elts] for row in node.value.elts]
    raise AssertionError(f"{path}: no {name}")


CAMERAS = sorted(p.name for p in (ROOT / "launch").glob("*.py") if "VO = " in p.read_text())


@pytest.mark.parametrize("name", CAMERAS)
def test_camera_launch_files_only_set_arguments_of_the_main_one(name):
    known = {row[0] for row in literal(ROOT / "launch" / "vo.launch.py", "ARGUMENTS")}
    defaults = literal(ROOT / "launch" / name, "DEFAULTS")
    assert {row[0] for row in defaults} <= known
    assert all(row[1] and row[2].endswith(".") for row in defaults)


def test_every_promised_launch_file_is_there():
    assert {"rgbd_vo", "stereo_vo", "realsense", "usb_cam", "zed", "oak"} == {
        n.split(".")[0] for n in CAMERAS
    }
    assert (ROOT / "launch" / "evaluate_bag.launch.py").exists()


def test_the_launch_file_brings_the_nodes_up():
    """What `colcon test` runs through launch_testing, in a domain of its own."""
    pytest.importorskip("launch_testing", reason="launch_testing comes with ROS 2, not from PyPI")
    test = ROOT / "test" / "launch" / "vo_launch_test.py"
    command = [sys.executable, "-m", "launch_testing.launch_test", str(test)]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(1 + os.getpid() % 100)}
    assert subprocess.run(command, env=environment, timeout=120, check=False).returncode == 0
