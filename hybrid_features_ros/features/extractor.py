"""The one call that turns an image into features, whatever computes them."""

from __future__ import annotations

import importlib

import cv2

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Extractor
from hybrid_features_ros.features.sift import SiftExtractor


def load_extractor(name: str, max_keypoints: int) -> Extractor:
    """The user's extractor, by ``package.module:Class``; the class, or a function, is called with
    ``max_keypoints``.

    Raises:
        InputError: there is no such module or class, or what it makes has no ``extract``.
    """
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise InputError(f"extractor {name!r}: write package.module:Class")
    try:
        make = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"extractor {name!r}: {error}; is its folder on PYTHONPATH?") from None
    extractor: Extractor = make(max_keypoints=max_keypoints)
    if not callable(getattr(extractor, "extract", None)):
        raise InputError(
            f"extractor {name!r}: {attribute} makes a {type(extractor).__name__} without extract()"
        )
    return extractor


def make_extractor(config: FeatureConfig) -> Extractor:
    """The extractor that ``config.extractor`` names.

    Raises:
        InputError: it is the name of a class of the user's that :func:`load_extractor` does not find.
    """
    if config.threads:
        cv2.setNumThreads(config.threads)
    if ":" in config.extractor:
        return load_extractor(config.extractor, config.max_keypoints)
    if config.extractor == "sift":
        return SiftExtractor(config)
    from hybrid_features_ros.features.hybrid import HybridExtractor

    return HybridExtractor(config)
