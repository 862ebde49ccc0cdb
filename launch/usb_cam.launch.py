"""Visual odometry of a webcam: run usb_cam's usb_cam_node_exe with a calibration beside it.

Its camera.launch.py names them /camera1: `image:=/camera1/image_raw camera_info:=/camera1/camera_info`.

All arguments of vo.launch.py may be given too: `--show-args` lists them.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchDescription

VO = Path(get_package_share_directory("hybrid_features_ros")) / "launch" / "vo.launch.py"

DEFAULTS = (
    ("image", "/image_raw", "Topic of the images."),
    ("camera_info", "/camera_info", "Topic of the calibration."),
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
