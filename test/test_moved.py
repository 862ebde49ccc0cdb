# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Modules of version 0.1 are found under their old names."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from hybrid_features_ros._moved import MOVED, PACKAGE


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_is_the_new_module_and_says_so(old: str) -> None:
    sys.modules.pop(f"{PACKAGE}.{old}", None)
    with pytest.warns(DeprecationWarning, match=f"{PACKAGE}.{MOVED[old]} since"):
        found = import_module(f"{PACKAGE}.{old}")
    assert found is import_module(f"{PACKAGE}.{MOVED[old]}")


def test_an_old_name_is_found_through_its_package() -> None:
    code = f"from {PACKAGE}.evaluation import folders; assert folders.__name__ == '{PACKAGE}.io.folders'"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_other_names_are_missing_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"evaluation\.nothing"):
        import_module(f"{PACKAGE}.evaluation.nothing")
