# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures of the benchmarks as tables in Markdown, each between marks by which a page finds its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Bench = Mapping[str, Any]
_NAMES = {
    "ours": "ours", "sift": "SIFT", "sift_precise": "SIFT precise", "orb": "ORB", "akaze": "AKAZE",
    "ours_detector": "our detector alone", "ours_descriptor": "our descriptor alone",
    "orb_essential": "ORB and essential matrix", "textbook": "frame-to-frame SIFT",
}  # fmt: skip
_MODES = {"mono": "one camera", "rgbd": "depth camera", "stereo": "stereo"}
_ROTATION = (  # name, key, digits, is more better
    ("repeatability at 3 px", "repeatability", 3, True),
    ("the same, one to one", "repeatability_one_to_one", 3, True),
    ("localisation error [px]", "localisation_px", 2, False),
    ("orientation error, median [deg]", "orientation_error_deg", 1, False),
    ("repeatability at 1 px", "repeatability_1px", 3, True),
    ("correct matches of 1000 keypoints", "correct", 0, True),
    ("the same, at distinct places", "distinct", 0, True),
    ("share of matches that are correct", "mma3", 3, True),
)
_HOMOGRAPHY = (
    ("repeatability at 3 px", "repeatability", 3, True),
    ("repeatability at 1 px", "repeatability_1px", 3, True),
    ("correct matches", "correct", 0, True),
    ("the same, at distinct places", "distinct", 0, True),
    ("share of matches that are correct", "mma3", 3, True),
    ("corner error at most 3 px", "ha3", 3, True),
    ("corner error at most 8 px", "ha8", 3, True),
)
# Other systems on the same frames, measured once outside this package: ATE [m], and frames where not all.
_PEERS = {
    ("7scenes_1000", "mono"): "ORB-SLAM3 .038 (970 of 1000 frames), DSO .37 (172)",
    ("7scenes_1000", "rgbd"): "ORB-SLAM3 .051, RTAB-Map .058",
    ("kitti_seq1_left", "mono"): "ORB-SLAM3 .140 (25 of 51), viso2 .236",
    ("kitti_seq1_left", "stereo"): "ORB-SLAM3 .033, viso2 .120, RTAB-Map .198",
    ("kitti_seq2_left", "mono"): "ORB-SLAM3 .34",
    ("kitti_seq2_left", "stereo"): "ORB-SLAM3 .786, viso2 1.12, RTAB-Map 1.88",
    ("tartanair_08", "mono"): "DSO 1.01 (78 of 189), ORB-SLAM3 2.04 (64)",
    ("tum_fr1_rpy", "mono"): "ORB-SLAM3 .025 (369 of 694)",
    ("tum_fr1_rpy", "rgbd"): "ORB-SLAM3 .025, RTAB-Map .093",
}
_POSE = (
    ("pose AUC@5 deg, upright", "upright", "auc5", 1, True),
    ("the same, rolled by any angle", "rolled", "auc5", 1, True),
    ("pose AUC@10 deg, upright", "upright", "auc10", 1, True),
    ("the same, rolled by any angle", "rolled", "auc10", 1, True),
    ("correct matches at distinct places", "upright", "distinct", 0, True),
    ("error of matches, median, to the epipolar line [px]", "upright", "epipolar_px", 2, False),
)
_ODOMETRY = (
    ("position error, rmse [m]", "ate_rmse_m", 3, False),
    ("rotation over 30 frames, median [deg]", "rot_rpe_30f_median_deg", 2, False),
    ("the same, 95th percentile [deg]", "rot_rpe_30f_p95_deg", 2, False),
)


def tables(bench: Bench) -> dict[str, str]:
    """The tables of every part that was run, by names that begin with the part's."""
    makers = {
        "rotation": _rotation, "homography": _homography, "pose": _pose, "blur": _blur, "zoom": _zoom,
        "speed": _speed, "odometry": _odometry, "odometry_ours": _odometry_ours, "messages": _messages,
        "recordings": _recordings,
    }  # fmt: skip
    parts = {name: bench[_part(name)] for name in makers if _part(name) in bench}
    return {
        name: "\n".join([makers[name](part), *_caption(part.get("protocol", {}))])
        for name, part in parts.items()
    }


def _part(name: str) -> str:
    """The part of the benchmarks that a table shows."""
    return name.partition("_")[0]


def fill(page: str, found: Mapping[str, str]) -> str:
    """The page with each table put between its marks ``<!-- bench NAME -->`` and ``<!-- end -->``; where a
    part was not run, how to run it.
    """

    def table(mark: re.Match[str]) -> str:
        name = mark.group(1)
        text = found.get(name, f"*Not measured yet: `hybrid-features bench all --parts {_part(name)}`.*")
        return f"<!-- bench {name} -->\n{text}\n<!-- end -->"

    return re.sub(r"<!-- bench (\w+) -->\n.*?<!-- end -->", table, page, flags=re.DOTALL)


def _caption(protocol: Bench) -> list[str]:
    """What a reader has to know to read the table: an empty line and a sentence."""
    said = [f"{len(protocol['images'])} photographs"] if isinstance(protocol.get("images"), list) else []
    said += [f"{protocol['pairs_in_dataset']} pairs"] if "pairs_in_dataset" in protocol else []
    said += [str(protocol["sequence"])] if "sequence" in protocol else []
    said += [f"{protocol['starts']} starts of each recording"] if "starts" in protocol else []
    said += [f"ours: {protocol['ours']}"] if "ours" in protocol else []
    said += [f"threads: {protocol['threads']}"] if "threads" in protocol else []
    said += [f"OpenCV {protocol['opencv']}"] if "opencv" in protocol else []
    return ["", f"*{'; '.join(said)}.*"] if said else []


def _rotation(part: Bench) -> str:
    methods = part["methods"]
    rows = []
    for title, key, digits, more in _ROTATION:
        if not all(key in methods[m] for m in methods):  # figures of an older version
            continue
        values = [methods[m][key] for m in methods]
        means = [sum(v) / len(v) for v in values]
        cells = [_range(v, digits) for v in values]
        rows.append((title, _bold(cells, means, more)))
    return _table([_name(m) for m in methods], rows)


def _homography(part: Bench) -> str:
    methods = part["methods"]
    rows = []
    for title, key, digits, more in _HOMOGRAPHY:
        if not all(key in methods[m]["overall"] for m in methods):
            continue
        values = [methods[m]["overall"][key] for m in methods]
        rows.append((title, _bold([_number(v, digits) for v in values], values, more)))
    return _table([_name(m) for m in methods], rows)


def _pose(part: Bench) -> str:
    methods = part["methods"]
    rows = []
    for title, way, key, digits, more in _POSE:
        if all(key in methods[m][way] for m in methods):  # without depth nothing says which are correct
            values = [methods[m][way][key] for m in methods]
            rows.append((title, _bold([_number(v, digits) for v in values], values, more)))
    return _table([_name(m) for m in methods], rows)


def _blur(part: Bench) -> str:
    blurred = _series(part, "blur_px", "distinct", "distinct correct matches, blurred by {:g} px")
    dark = _series(part, "light", "light_distinct", "the same, sharp, in {:.2g} of the light")
    return _table([_name(m) for m in part["methods"]], blurred + dark)


def _zoom(part: Bench) -> str:
    rows = _series(part, "zoom", "distinct", "distinct correct matches, zoom {:g}")
    return _table([_name(m) for m in part["methods"]], rows)


def _series(part: Bench, steps: str, key: str, title: str) -> list[tuple[str, list[str]]]:
    """A row for every step of a series that all methods went through."""
    methods = list(part["methods"].values())
    columns = zip(methods[0][steps], *(m[key] for m in methods), strict=True)
    return [
        (title.format(step), _bold([_number(v, 0) for v in values], values, True))
        for step, *values in columns
    ]


def _speed(part: Bench) -> str:
    methods = part["methods"]
    rows = []
    for key in methods["sift"]["cpu_ms"]:
        size, _, budget = key.partition("_")
        title = f"CPU time [ms], {size.upper()}, {budget or 1000} keypoints"
        values = [methods[m]["cpu_ms"][key]["median"] for m in methods]
        rows.append((title, [_number(v, 1) for v in values]))
        shares = [v / methods["sift"]["cpu_ms"][key]["median"] for v in values]
        rows.append(("over SIFT's", [_number(v, 2) for v in shares]))
    return _table([_name(m) for m in methods], rows)


def _odometry(part: Bench) -> str:
    heads, columns = [], []
    for mode, methods in part["methods"].items():
        heads += [f"{_MODES[mode]}, {_name(m)}" if len(methods) > 1 else _MODES[mode] for m in methods]
        columns.append(list(methods.values()))
    rows = []
    for title, key, digits, more in _ODOMETRY:
        cells: list[str] = []
        for column in columns:
            values = [m[key] for m in column]
            cells += _bold([_number(v, digits) for v in values], values, more)
        rows.append((title, cells))
    return _table(heads, rows)


def _odometry_ours(part: Bench) -> str:
    """:func:`_odometry` without the baseline."""
    return _odometry({"methods": {mode: {"ours": m["ours"]} for mode, m in part["methods"].items()}})


def _recordings(part: Bench) -> str:
    rows = []
    for name, modes in part["sequences"].items():
        for mode, f in modes.items():
            ate, covered = f["ate_rmse_m"], f["coverage_3sigma"]
            cells = [
                _number(ate["median"], 3), _number(ate["worst"], 3),
                _number(f["rot_rpe_30f_median_deg"], 2), _number(f["with_translation_share"], 2),
                str(f["resets"]), "" if covered is None else _number(min(covered), 2),
                _PEERS.get((name, mode), ""),
            ]  # fmt: skip
            rows.append((f"{name}, {_MODES[mode]}", cells))
    heads = ["ATE, median [m]", "ATE, worst [m]", "rotation [deg]", "with translation", "resets"]
    return _table([*heads, "3-sigma coverage", "others' ATE [m]"], rows)


def _messages(part: Bench) -> str:
    rows = [
        (name, [_number(row["ms"], 2), _number(row["of_yardstick"], 5)])
        for name, row in part["methods"].items()
    ]
    return _table(["ms", "over the baseline"], rows)


def _table(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    return "\n".join(lines + [f"| {title} | {' | '.join(cells)} |" for title, cells in rows])


def _name(method: str) -> str:
    return _NAMES.get(method, method)


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".removeprefix("0") if digits else f"{value:.0f}"


def _range(values: Sequence[float], digits: int) -> str:
    return f"{_number(min(values), digits)} to {_number(max(values), digits)}"


def _bold(cells: Sequence[str], values: Sequence[float], more: bool) -> list[str]:
    """The best cell of several in bold; all that read the same share it."""
    if len(cells) == 1:
        return list(cells)
    best = cells[values.index(max(values) if more else min(values))]
    return [f"**{c}**" if c == best else c for c in cells]
