"""Image to features: ``make_extractor(config).extract(image)``."""

from hybrid_features_ros.features.extractor import Extractor, make_extractor

__all__ = ["Extractor", "make_extractor"]
