"""``python -m hybrid_features_ros`` is ``hybrid-features``."""

from hybrid_features_ros.cli.main import main

main()
