"""Visual odometry of one camera: `ros2 launch hybrid_features_ros vo.launch.py image:=/my_camera/image_raw`.

`--show-args` lists every argument.
"""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    GroupAction,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, PushRosNamespace, SetParameter

from launch import LaunchDescription

PACKAGE = "hybrid_features_ros"
SHARE = Path(get_package_share_directory(PACKAGE))

ARGUMENTS = (
    ("image", "/camera/image_raw", "Topic of the images (sensor_msgs/Image)."),
    ("camera_info", "", "Topic of the calibration; empty: `camera_info` beside the image topic."),
    ("transport", "raw", "raw: images on the image topic; compressed: on <image>/compressed."),
    ("rectified", "", "true for image_rect topics; empty: as in params_file."),
    ("depth", "", "Topic of depth images registered to the images; empty: one camera without depth."),
    ("left", "", "Topic of the rectified left images of a stereo pair, with `right`; empty: no pair."),
    ("right", "", "Topic of the rectified right images; calibrations are `camera_info` beside them."),
    ("imu", "", "Topic of an IMU whose gyro helps to guess rotations; empty: none."),
    ("odom", "", "Frame of the odometry, e.g. robot1/odom; empty: as in params_file."),
    ("base", "", "Frame of the robot, e.g. base_link; empty: as in params_file."),
    ("guess", "", "TF frame of another odometry that guesses the motion; empty: as in params_file."),
    ("publish_tf", "", "true or false; empty: as in params_file."),
    ("bag", "", "Bag to replay with its clock; everything ends with it. Empty: live."),
    ("rate", "1.0", "Speed of the replay as a multiple of real time."),
    ("rviz", "false", "Open RViz with trajectory, TF and images."),
    ("composed", "true", "true: one process, features handed over in memory; false: a process per node."),
    ("autostart", "true", "true: nodes become active by themselves; false: a lifecycle manager does it."),
    ("params_file", str(SHARE / "config" / "vo.yaml"), "YAML file with parameters of the nodes."),
    ("namespace", "", "Namespace of all nodes and of their output topics, one for each robot."),
    ("log_level", "info", "debug, info, warn, error or fatal."),
    ("use_sim_time", "auto", "true: time from /clock; auto: true while a bag is replayed."),
)
BOOLEAN = ("true", "false")
CHOICES = {
    "transport": ("raw", "compressed"),
    "rviz": BOOLEAN,
    "composed": BOOLEAN,
    "log_level": ("debug", "info", "warn", "error", "fatal"),
    "use_sim_time": ("auto", *BOOLEAN),
}


def launch_nodes(context):
    """The actions for the given arguments."""
    given = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    check(given)
    sim_time = given["use_sim_time"] == "true" or (given["use_sim_time"] == "auto" and bool(given["bag"]))
    remapped = remappings(given)
    executables = ["vo_node"] if given["composed"] == "true" else ["feature_node", "odometry_node"]
    nodes = [
        Node(
            package=PACKAGE,
            executable=executable,
            parameters=[given["params_file"], parameters(given)],
            remappings=remapped,
            arguments=["--ros-args", "--log-level", given["log_level"]],
            output="screen",
            on_exit=[EmitEvent(event=Shutdown(reason=f"{executable} ended"))],
        )
        for executable in executables
    ]
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(SHARE / "rviz" / "vo.rviz")],
        remappings=remapped,
        condition=IfCondition(given["rviz"]),
    )
    group = GroupAction(
        [PushRosNamespace(given["namespace"]), SetParameter("use_sim_time", sim_time), *nodes, rviz]
    )
    return [group, *replay(given["bag"], given["rate"])]


def check(given):
    """Refuse what would only fail later and in more words, in a process of its own."""
    for name in ("bag", "params_file"):
        if given[name] and not Path(given[name]).exists():
            raise RuntimeError(f"{name}:={given[name]}: no such file or folder")
    if given["rviz"] == "true":
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


def parameters(given):
    """What the arguments say; an empty argument leaves the word to the file."""
    values = {
        "autostart": given["autostart"] == "true",
        "input.transport": given["transport"],
        "input.depth": bool(given["depth"]),
        "input.stereo": bool(given["left"]),
        "input.imu": bool(given["imu"]),
    }
    optional = {
        "input.rectified": given["rectified"] and given["rectified"] == "true",
        "frames.odom": given["odom"],
        "frames.base": given["base"],
        "frames.guess": given["guess"],
        "frames.publish_tf": given["publish_tf"] and given["publish_tf"] == "true",
    }
    return values | {name: value for name, value in optional.items() if value != ""}


def remappings(given):
    """The nodes' own names of their inputs, and the topics that are meant."""
    rules = [
        ("image", given["image"]),
        ("image/compressed", f"{given['image']}/compressed"),
        ("camera_info", given["camera_info"] or beside(given["image"])),
        ("depth/image", given["depth"] or "depth/image"),
        ("imu", given["imu"] or "imu"),
    ]
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
        player = ExecuteProcess(cmd=["ros2", "bag", "play", bag, "--clock", "--rate", rate], output="screen")
    except PackageNotFoundError:
        player = Node(
            package=PACKAGE,
            executable="bag_player",
            arguments=[bag, "--clock", "--rate", rate],
            output="screen",
        )
    ended = OnProcessExit(target_action=player, on_exit=[EmitEvent(event=Shutdown(reason="the bag ended"))])
    return [player, RegisterEventHandler(ended)]


def generate_launch_description():
    """Declare the arguments, then decide."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=value, description=text, choices=CHOICES.get(name))
                for name, value, text in ARGUMENTS
            ),
            OpaqueFunction(function=launch_nodes),
        ]
    )
