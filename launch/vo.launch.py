# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Visual odometry of one camera: `ros2 launch hybrid_features_ros vo.launch.py image:=/my_camera/image_raw`.

`--show-args` lists every argument. The launch files of cameras are this one with other defaults.
"""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, GroupAction, OpaqueFunction
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, PushRosNamespace, SetParameter

from launch import LaunchDescription

PACKAGE = "hybrid_features_ros"
SHARE = Path(get_package_share_directory(PACKAGE))

ARGUMENTS = (
    ("image", "/camera/image_raw", "Topic of the images (sensor_msgs/Image)."),
    ("camera_info", "", "Topic of the calibration; empty: `camera_info` beside the image topic."),
    (
        "transport",
        "",
        "raw: images on the image topic; compressed: on <image>/compressed; empty: as in params_file.",
    ),
    ("rectified", "", "true for rectified images; empty: as in params_file, else as the topic is named."),
    ("depth", "", "Topic of depth images registered to the images; none: without; empty: as in params_file."),
    (
        "left",
        "",
        "Topic of the rectified left images of a stereo pair, with `right`; empty: as in params_file.",
    ),
    ("right", "", "Topic of the rectified right images; calibrations are `camera_info` beside them."),
    (
        "imu",
        "",
        "Topic of an IMU whose gyro helps to guess rotations; none: without; empty: as in params_file.",
    ),
    (
        "prior",
        "",
        "Topic of another odometry (wheels), a motion prior; none: without; empty: as in params_file.",
    ),
    ("odom", "", "Frame of the odometry, e.g. robot1/odom; empty: as in params_file."),
    ("base", "", "Frame of the robot, e.g. base_link; empty: as in params_file."),
    ("guess", "", "TF frame of another odometry that measures the motion; empty: as in params_file."),
    ("publish_tf", "", "Broadcast odom -> base, true or false; empty: as in params_file."),
    ("bag", "", "Bag to replay with its clock; everything ends with it. Empty: live."),
    ("rate", "1.0", "Speed of the replay as a multiple of real time."),
    ("rviz", "false", "Open RViz with trajectory, TF and images."),
    ("composed", "true", "true: one process, features handed over in memory; false: a process per node."),
    ("autostart", "", "false: a lifecycle manager activates the nodes; empty: as in params_file (true)."),
    ("params_file", str(SHARE / "config" / "vo.yaml"), "YAML file with parameters of the nodes."),
    ("namespace", "", "Namespace of all nodes and of their output topics, one for each robot."),
    ("log_level", "info", "debug, info, warn, error or fatal."),
    ("use_sim_time", "auto", "true: time from /clock; auto: true while a bag is replayed."),
)
CHOICES = {
    "transport": ("", "raw", "compressed"),
    "log_level": ("debug", "info", "warn", "error", "fatal"),
}
TRUE = ("true", "1", "yes", "on", "y", "t")
FALSE = ("false", "0", "no", "off", "n", "f")
# The defaults of the launch files of cameras: topics and frames as their drivers name them.
CAMERAS = {
    "rgbd_vo": {
        "image": "/camera/rgb/image_rect_color",
        "depth": "/camera/depth_registered/image_rect",
        "rectified": "true",
    },
    "stereo_vo": {"left": "/stereo/left/image_rect", "right": "/stereo/right/image_rect"},
    "usb_cam": {"image": "/image_raw", "camera_info": "/camera_info"},
    "realsense": {
        "image": "/camera/camera/color/image_raw",
        "depth": "/camera/camera/aligned_depth_to_color/image_raw",
        "base": "camera_link",
    },
    "oak": {
        "image": "/oak/rgb/image_rect",
        "depth": "/oak/stereo/image_raw",
        "rectified": "true",
        "base": "oak",
    },
    "zed": {
        "image": "/zed/zed_node/rgb/color/rect/image",
        "depth": "/zed/zed_node/depth/depth_registered",
        "rectified": "true",
        "base": "zed_camera_link",
    },
}


def generate_launch_description(camera=""):
    """Declare the arguments, with the defaults of a camera, then decide."""
    defaults = CAMERAS.get(camera, {})
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(
                    name, default_value=defaults.get(name, value), description=text, choices=CHOICES.get(name)
                )
                for name, value, text in ARGUMENTS
            ),
            OpaqueFunction(function=launch_nodes),
        ]
    )


def launch_nodes(context):
    """The actions for the given arguments."""
    given = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    check(given)
    sim_time = bool(given["bag"]) if given["use_sim_time"] == "auto" else truth("use_sim_time", given)
    remapped, values = remappings(given), parameters(given)
    executables = ["vo_node"] if truth("composed", given) else ["feature_node", "odometry_node"]
    nodes = [
        Node(
            package=PACKAGE,
            executable=executable,
            parameters=[given["params_file"], *([values] if values else [])],
            remappings=remapped,
            arguments=["--ros-args", "--log-level", given["log_level"]],
            output="screen",
            on_exit=ended,
        )
        for executable in executables
    ]
    if truth("rviz", given):
        view = ["-d", str(SHARE / "rviz" / "vo.rviz")]
        nodes.append(Node(package="rviz2", executable="rviz2", arguments=view, remappings=remapped))
    group = GroupAction(
        [PushRosNamespace(given["namespace"]), SetParameter("use_sim_time", sim_time), *nodes]
    )
    return [group, *replay(given["bag"], given["rate"])]


def check(given):
    """Refuse what would only fail later and in more words, in a process of its own."""
    for name in ("bag", "params_file"):
        if given[name] and not Path(given[name]).exists():
            raise RuntimeError(f"{name}:={given[name]}: no such file or folder")
    if bool(given["left"]) != bool(given["right"]):
        raise RuntimeError(f"left:={given['left']} right:={given['right']}: a pair needs both topics")
    if truth("rviz", given):
        try:
            get_package_share_directory("rviz2")
        except PackageNotFoundError:
            raise RuntimeError(
                "rviz:=true: rviz2 is not installed: sudo apt install ros-$ROS_DISTRO-rviz2"
            ) from None
    try:
        usable = float(given["rate"]) > 0
    except ValueError:
        usable = False
    if not usable:
        raise RuntimeError(f"rate:={given['rate']}: give a number above 0")


def truth(name, given):
    """What the word given for an argument means, in the spellings of YAML and of Python."""
    word = given[name].strip().lower()
    if word not in TRUE + FALSE:
        raise RuntimeError(f"{name}:={given[name]}: give one of {', '.join(TRUE + FALSE)}")
    return word in TRUE


def parameters(given):
    """What the arguments say; an empty argument leaves the word to the file."""
    values = {
        "input.transport": given["transport"],
        "frames.odom": given["odom"],
        "frames.base": given["base"],
        "frames.guess": given["guess"],
    }
    values |= {
        f"input.{name}": given[name].lower() != "none" for name in ("depth", "imu", "prior") if given[name]
    }
    values |= {"input.stereo": True} if given["left"] else {}
    booleans = (("autostart", ""), ("rectified", "input."), ("publish_tf", "frames."))
    values |= {f"{section}{name}": truth(name, given) for name, section in booleans if given[name]}
    return {name: value for name, value in values.items() if value != ""}


def remappings(given):
    """The nodes' own names of their inputs, and the topics that are meant."""
    rules = [
        ("image", given["image"]),
        ("image/compressed", f"{given['image']}/compressed"),
        ("camera_info", given["camera_info"] or beside(given["image"])),
    ]
    for name, topic in (("depth", "depth/image"), ("imu", "imu"), ("prior", "prior")):
        if given[name].lower() not in ("", "none"):
            rules.append((topic, given[name]))
    for side in ("left", "right"):
        if given[side]:
            rules += [
                (f"{side}/image_rect", given[side]),
                (f"{side}/image_rect/compressed", f"{given[side]}/compressed"),
                (f"{side}/camera_info", beside(given[side])),
            ]
    return rules


def beside(image):
    """The calibration topic of an image topic."""
    return f"{image.rpartition('/')[0]}/camera_info"


def replay(bag, rate):
    """Play a bag with its clock, by rosbag2 if it is installed, else by this package's player."""
    if not bag:
        return []
    try:
        get_package_share_directory("ros2bag")
        command = ["ros2", "bag", "play", bag, "--clock", "--rate", rate]
        return [ExecuteProcess(cmd=command, output="screen", on_exit=ended)]
    except PackageNotFoundError:
        words = [bag, "--clock", "--rate", rate]
        return [
            Node(package=PACKAGE, executable="bag_player", arguments=words, output="screen", on_exit=ended)
        ]


def ended(event, context):
    """Everything ends with the first process that does; `ros2 launch` fails if that one failed."""
    if event.returncode and not context.is_shutdown:
        raise RuntimeError(f"{event.process_name} ended with exit code {event.returncode}")
    return [EmitEvent(event=Shutdown(reason=f"{event.process_name} ended"))]
