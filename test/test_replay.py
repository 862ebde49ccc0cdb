# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Digests of replays: equal for the same code, another one where something differs."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import sequences

SCRIPT = Path(__file__).parents[1] / "scripts" / "replay.py"


def replay(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["replay.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return end.value.code


def test_a_replay_repeats_itself_and_a_change_is_found(monkeypatch, tmp_path, capsys):
    file, walk = tmp_path / "before.json", sequences.plain(tmp_path / "walk", depth=True)
    assert replay(monkeypatch, file, walk, "--mode", "rgbd") == 0
    assert replay(monkeypatch, file) == 0
    assert "5 frames are identical" in capsys.readouterr().out
    (run, digests), *_ = json.loads(file.read_text())
    file.write_text(json.dumps([[run, [*digests[:3], "0", digests[4]]]]))
    assert replay(monkeypatch, file) == 1
    assert "differs from frame 3 on" in capsys.readouterr().out
