# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""``python -m hybrid_features_ros`` is ``hybrid-features``."""

from hybrid_features_ros.cli.main import main

main()
