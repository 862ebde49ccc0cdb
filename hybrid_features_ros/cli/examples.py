# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""An example for the end of each command's help."""

from __future__ import annotations

EXAMPLES = {
    "extract": "hybrid-features extract photo.png --out features.png",
    "match": "hybrid-features match a.png b.png --extractor sift",
    "evaluate": "hybrid-features evaluate RECORDING --mode rgbd --set odometry.matching.lowe_ratio=0.8",
    "report": "hybrid-features report results/room_mono results/room_rgbd --out both.html",
    "bag make": "hybrid-features bag make RECORDING recording_bag --compressed",
    "render": "hybrid-features render room",
    "bench recordings": "hybrid-features bench recordings list.txt --starts 4 --json figures.json",
    "bench spin": "hybrid-features bench spin RECORDING --profiles spin:90",
    "bench turn": "hybrid-features bench turn panorama.jpg --rate 30",
    "bench rotation": "hybrid-features bench rotation --images photographs",
    "bench homography": "hybrid-features bench homography --dataset hpatches",
    "bench pose": "hybrid-features bench pose --scenes 4 --split val",
    "bench blur": "hybrid-features bench blur --keypoints 500",
    "bench zoom": "hybrid-features bench zoom --yardsticks sift orb",
    "bench speed": "hybrid-features bench speed --image photo.png --threads 2",
    "bench odometry": "hybrid-features bench odometry --every 2",
    "bench messages": "hybrid-features bench messages --json messages.json",
    "bench realtime": "hybrid-features bench realtime RECORDING --json realtime.json",
    "bench all": "hybrid-features bench all --images photographs --parts rotation speed",
    "bench consistency": "hybrid-features bench consistency --rooms 20",
    "bench endurance": "hybrid-features bench endurance --minutes 60 --picture endurance.png",
    "dataset list": "hybrid-features dataset list",
    "dataset info": "hybrid-features dataset info tum/fr1_rpy",
    "dataset download": "hybrid-features dataset download tum/fr1_rpy --out datasets",
    "train detector": "hybrid-features train detector --data photographs --val others",
    "train descriptor": "hybrid-features train descriptor --data photographs --val others --steps 20000",
    "train curves": "hybrid-features train curves results/detector results/other --column correct",
    "export": "hybrid-features export results/detector/best.pt --weights detector.npz",
}
