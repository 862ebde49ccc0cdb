"""The command `hybrid-features`."""

from hybrid_features_ros.cli.main import make_parser

__all__ = ["make_parser"]
