"""Visual odometry of an OAK-D: run depthai_ros_driver's rgbd_pcl.launch.py with rectify_rgb:=true beside it.

All arguments of vo.launch.py may be given too: `--show-args` lists them.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchDescription

VO = Path(get_package_share_directory("hybrid_features_ros")) / "launch" / "vo.launch.py"

DEFAULTS = (
    ("image", "/oak/rgb/image_rect", "Topic of the colour images, rectified as the depth is."),
    ("depth", "/oak/stereo/image_raw", "Topic of the depth images registered to the colour images."),
    ("rectified", "true", "true: the images are rectified."),
    ("base", "oak", "Frame of the robot; the driver publishes this one's transform."),
)


def generate_launch_description():
    """Other defaults for vo.launch.py."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=value, description=text)
                for name, value, text in DEFAULTS
            ),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(VO))),
        ]
    )
