"""Image to features: ``make_extractor(config).extract(image)``."""

from hybrid_features_ros.features.extractor import Extractor, load_extractor, make_extractor

__all__ = ["Extractor", "load_extractor", "make_extractor"]
