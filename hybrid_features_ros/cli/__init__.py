# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The command `hybrid-features`."""

from hybrid_features_ros.cli.main import make_parser

__all__ = ["make_parser"]
