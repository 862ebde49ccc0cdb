# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything public says what it is; whatever takes or gives arrays says their shapes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "hybrid_features_ros"
MODULES = sorted(PACKAGE.rglob("*.py"))
ARRAYS = re.compile(r"\b(NDArray|ArrayLike|Float32|Float64|Int32|UInt8|Bool|Array)\b")
SHAPE = re.compile(r"\(([\w.+]+(, [\w.+]+)+|\w+,)\)")  # such as (N, 2), (6,) or (..., 3)
Public = tuple[str, ast.FunctionDef | ast.ClassDef, ast.ClassDef | None]


def public(body: list[ast.stmt], owner: ast.ClassDef | None = None) -> Iterator[Public]:
    """Public classes, functions and methods, with the class that a method belongs to."""
    for node in body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        yield f"{owner.name}.{node.name}" if owner else node.name, node, owner
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, node)


def declares_only(node: ast.AST) -> bool:
    """A property of a Protocol: its class describes it."""
    return isinstance(node, ast.FunctionDef) and all(
        isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) and s.value.value is ...
        for s in node.body
    )


def refers(text: str) -> bool:
    """The text names another place that has the shapes."""
    return bool(re.search(r"\b[Ss]ee\b|:func:|:class:|:meth:", text))


def declared() -> Iterator[Public]:
    """What is public in the package, by module and name."""
    for path in MODULES:
        for name, node, owner in public(ast.parse(path.read_text()).body):
            if not declares_only(node):
                yield f"{path.relative_to(PACKAGE)}: {name}", node, owner


def test_everything_public_has_a_docstring() -> None:
    assert not [str(p) for p in MODULES if not ast.get_docstring(ast.parse(p.read_text()))]
    assert not [name for name, node, _ in declared() if not ast.get_docstring(node)]


def test_arrays_have_shapes() -> None:
    silent = []
    for name, node, owner in declared():
        if not isinstance(node, ast.FunctionDef):
            continue
        notes = [a.annotation for a in [*node.args.args, *node.args.kwonlyargs]] + [node.returns]
        if not any(n is not None and ARRAYS.search(ast.unparse(n)) for n in notes):
            continue
        text = (ast.get_docstring(node) or "") + ((owner and ast.get_docstring(owner)) or "")
        if not SHAPE.search(text) and not refers(text):
            silent.append(name)
    assert not silent, "say the shapes, such as (N, 2), and the units"
