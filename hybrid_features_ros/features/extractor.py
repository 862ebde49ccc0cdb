# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The one call that turns an image into features, whatever computes them."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

import cv2
import yaml

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Extractor
from hybrid_features_ros.features.sift import SiftExtractor


@runtime_checkable
class Adjustable(Protocol):
    """An extractor whose number of keypoints can be changed from image to image."""

    budget: int


def load_extractor(name: str, max_keypoints: int, **arguments: Any) -> Extractor:
    """Anybody's extractor, by ``package.module:Class``; the class, or a function, is called with
    ``max_keypoints`` and the arguments.

    Raises:
        InputError: there is no such module or class, it does not take the arguments, or what it makes has
            no ``extract``.
    """
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise InputError(f"extractor {name!r}: write package.module:Class")
    try:
        make = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"extractor {name!r}: {error}; is its folder on PYTHONPATH?") from None
    try:
        extractor: Extractor = make(max_keypoints=max_keypoints, **arguments)
    except TypeError as error:
        raise InputError(f"extractor {name!r}: {error}; see features.extractor_options") from error
    if not callable(getattr(extractor, "extract", None)):
        raise InputError(
            f"extractor {name!r}: {attribute} makes a {type(extractor).__name__} without extract()"
        )
    return extractor


def make_extractor(config: FeatureConfig) -> Extractor:
    """The extractor that ``config.extractor`` names.

    Raises:
        InputError: it is the name of a class of the user's that :func:`load_extractor` does not find, or
            ``config.extractor_options`` are no YAML mapping, or for no such class.
            Or the engine is not installed.
    """
    if config.threads:
        cv2.setNumThreads(config.threads)
    arguments = extractor_arguments(config.extractor_options)
    if ":" in config.extractor:
        return load_extractor(config.extractor, config.max_keypoints, **arguments)
    if arguments:
        raise InputError(f"features.extractor_options: {config.extractor} takes none; leave them empty")
    if config.extractor == "sift":
        if config.engine != "auto":
            raise InputError(f"features.engine {config.engine}: sift has no networks; leave it at auto")
        return SiftExtractor(config)
    from hybrid_features_ros.features.engine import choose_engine
    from hybrid_features_ros.features.hybrid import HybridExtractor

    if choose_engine(config.engine, config.grid) != "torch":
        return HybridExtractor(config)
    if find_spec("torch") is None:
        raise InputError("features.engine torch: PyTorch is not installed: pip install torch")
    from hybrid_features_ros.features.torch_engine import TorchExtractor

    return TorchExtractor(config)


def extractor_arguments(text: str) -> dict[str, Any]:
    """The arguments that ``extractor_options`` give to a user's class.

    Raises:
        InputError: they are no YAML mapping.
    """
    try:
        arguments = yaml.safe_load(text) if text else {}
    except yaml.YAMLError:
        arguments = None
    if not isinstance(arguments, dict) or not all(isinstance(name, str) for name in arguments):
        raise InputError(f"features.extractor_options = {text!r}: write a mapping such as {{threshold: 0.1}}")
    return arguments
