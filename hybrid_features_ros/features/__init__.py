# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Image to features: ``make_extractor(config).extract(image)``."""

from hybrid_features_ros.core.types import Extractor
from hybrid_features_ros.features.extractor import load_extractor, make_extractor

__all__ = ["Extractor", "load_extractor", "make_extractor"]
