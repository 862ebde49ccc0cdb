# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a camera went: every image of a folder or bag, the state of the odometry and its uncertainty.

python3 examples/track_a_sequence.py SEQUENCE
"""

import sys
from pathlib import Path

import numpy as np

from hybrid_features_ros.core.config import Config
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.odometry import Odometry

source = open_source(Path(sys.argv[1]))
extractor, odometry = make_extractor(Config().features), Odometry(Config().odometry)

for frame in source:
    result = odometry.process(frame.stamp, extractor.extract(frame.image), source.camera)
    x, y, z = result.T_world_camera[:3, 3]
    sigma = np.sqrt(np.diag(result.covariance)[:3].sum())
    print(f"{frame.stamp / 1e9:.3f} s  {result.state.name:13s}  {x:+.3f} {y:+.3f} {z:+.3f} m  +- {sigma:.3f}")
