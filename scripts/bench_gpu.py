# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The PyTorch engine on a GPU: whether it computes what the CPU path does, and how fast.

    python3 scripts/bench_gpu.py [--device cuda] [--out gpu.json]
    python3 scripts/bench_gpu.py --device cpu --sizes vga --budgets 500 --rounds 3  # does it work?

Needs the package and PyTorch, no data and no network. Prints JSON: for VGA, 720p and 1080p with 1000 and
2000 keypoints the share of keypoints that the CPU path finds too (within .05 px) and the latency of one image
[ms]: from image to descriptors, both in host memory (``whole``), of the module alone (``module``), and
of both copies (``copies``). It has been run to its end on a CPU, not on a GPU yet.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import torch

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.types import UInt8
from hybrid_features_ros.features.hybrid import HybridExtractor
from hybrid_features_ros.features.torch_engine import TorchExtractor

SIZES = {"vga": (640, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
BUDGETS = (1000, 2000)
ROUNDS = 50  # after a fifth of them, which do not count


def scene(width: int, height: int) -> UInt8:
    """(H, W) blobs and edges of every size, with a camera's noise."""
    rng = np.random.default_rng(0)
    noise = [rng.normal(0, 1, (height, width)).astype(np.float32) for _ in range(3)]
    image = sum(s * cv2.GaussianBlur(n, (0, 0), s) for s, n in zip((2, 4, 9), noise, strict=True))
    image = np.where(image > 0.3, image + 1, image) + rng.normal(0, 0.05, (height, width))
    return np.asarray(np.clip(128 + 40 * image, 0, 255), dtype=np.uint8)


def latency(work: Callable[[], Any], device: str, rounds: int) -> dict[str, float]:
    """Median and 95th percentile of a call [ms], the device's queue empty before and after."""
    times = []
    warm_up = rounds // 5 + 1
    for i in range(warm_up + rounds):
        _wait(device)
        begin = perf_counter()
        work()
        _wait(device)
        if i >= warm_up:
            times.append(1e3 * (perf_counter() - begin))
    return {"median": float(np.median(times)), "p95": float(np.percentile(times, 95))}


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def measure(size: tuple[int, int], budget: int, device: str, rounds: int) -> dict[str, Any]:
    """Agreement and latencies for one size and number of keypoints."""
    image = scene(*size)
    config = FeatureConfig(extractor="hybrid", max_keypoints=budget)
    ours = TorchExtractor(replace(config, engine="torch"), device)
    expected = HybridExtractor(replace(config, engine="opencv")).extract(image)
    found = ours.extract(image)
    distance = np.linalg.norm(expected.points[:, None] - found.points[None], axis=2).min(axis=1)
    given = torch.from_numpy(image).to(device)
    with torch.no_grad():
        result = ours.module(given)
        return {
            "same": float((distance < 0.05).mean()),
            "whole": latency(lambda: ours.extract(image), device, rounds),
            "module": latency(lambda: ours.module(given), device, rounds),
            "copies": latency(
                lambda: (torch.from_numpy(image).to(device), result.points.cpu(), result.descriptors.cpu()),
                device,
                rounds,
            ),
        }


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, help="file for the figures")
    parser.add_argument("--sizes", nargs="*", choices=tuple(SIZES), default=tuple(SIZES))
    parser.add_argument("--budgets", nargs="*", type=int, default=BUDGETS, metavar="KEYPOINTS")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="images of each figure")
    given = parser.parse_args()
    name = torch.cuda.get_device_name() if given.device.startswith("cuda") else "CPU"
    report: dict[str, Any] = {"device": name, "torch": torch.__version__, "sizes": {}}
    for size in given.sizes:
        for budget in given.budgets:
            report["sizes"][f"{size}_{budget}"] = measure(SIZES[size], budget, given.device, given.rounds)
    text = json.dumps(report, indent=1)
    if given.out:
        given.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
