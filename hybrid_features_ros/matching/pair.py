# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two images in, correspondences out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from hybrid_features_ros.core.config import MatchingConfig
from hybrid_features_ros.core.types import Extractor, Features, Float32, Matches
from hybrid_features_ros.matching.mutual import match


@dataclass(frozen=True, eq=False)
class Pair:
    """Features of two images and which of them show the same point.

    Attributes:
        a, b: features of the first and of the second image.
        matches: rows of ``a`` and ``b`` that belong together, with a score in [0, 1].
    """

    a: Features
    b: Features
    matches: Matches

    def __len__(self) -> int:
        return len(self.matches)

    @property
    def points_a(self) -> Float32:
        """Matched positions (M, 2) in the first image [px]."""
        return self.a.points[self.matches.index_a]

    @property
    def points_b(self) -> Float32:
        """The same points (M, 2) in the second image [px]."""
        return self.b.points[self.matches.index_b]


def match_images(
    extractor: Extractor, a: NDArray[Any], b: NDArray[Any], config: MatchingConfig | None = None
) -> Pair:
    """Extract both images and match them: mutual nearest neighbours that pass the ratio test.

    Example:
        >>> pair = match_images(extractor, first, second)
        >>> H, _ = cv2.findHomography(pair.points_a, pair.points_b, cv2.USAC_MAGSAC, 3.0)

    Args:
        extractor: any, such as ``make_extractor(FeatureConfig())``.
        a, b: (H, W) or (H, W, 3) uint8, grey or BGR, each of any size.
        config: of the matching; default: that of the nodes.

    Raises:
        InputError: an image is empty or of another shape or type.
    """
    features_a, features_b = extractor.extract(a), extractor.extract(b)
    return Pair(features_a, features_b, match(features_a, features_b, config or MatchingConfig()))
