# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The reference page of the Python interface, from the docstrings in the source: nothing is imported.

:mod:`.reference` (``make docs``) writes it as ``docs/api.md``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
# What users call, in the order in which they need it. Everything else without a leading underscore is public
# as well, but documented in its source only.
MODULES = (
    *("features.extractor", "features.hybrid", "features.sift", "features.depth", "features.stereo"),
    *("matching.pair", "odometry.odometry"),
    *("core.types", "core.camera", "core.se3", "core.config", "core.errors"),
    *("io.source", "io.sources", "io.trajectory"),
    *("evaluation.run", "evaluation.evaluate", "evaluation.metrics"),
    *("simulation.render", "visualization.draw"),
)
HEAD = """# API

Made from the docstrings by `make docs`; a test compares them. Names with a leading underscore are private.
Arrays are numpy's; `Float64`, `Float32`, `Int32`, `UInt8` and `Bool` are arrays of that type.
[Conventions](conventions.md) says what pixels, angles, `T_a_b` and covariances mean. Something from outside
that cannot be used raises `InputError` with one line that names the value and the remedy. The options of
configurations are on [a page of their own](parameters.md).
"""
_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|Example):$")
_ITEM = re.compile(r"^([\w*]+(?:, [\w*]+)*): (.*)$")


def page() -> str:
    """The whole page in Markdown."""
    lines = [HEAD]
    for name in MODULES:
        tree = ast.parse((PACKAGE / f"{name.replace('.', '/')}.py").read_text())
        lines += [f"## {PACKAGE.name}.{name}", "", *markdown(ast.get_docstring(tree) or ""), ""]
        for node in _public(tree.body):
            lines += _class(node) if isinstance(node, ast.ClassDef) else _function(node, node.name, "###")
    return "\n".join(lines).rstrip() + "\n"


def markdown(docstring: str) -> Iterator[str]:
    """Lines of a docstring in Markdown: sections become lists, literals and references code."""
    section, code = "", False
    for raw in docstring.splitlines():
        line = raw.strip()
        found = _SECTION.match(raw)
        if code and not (line and raw.startswith("    ")):
            yield "```"
            code = False
        if found:
            section = found.group(1)
            yield from (f"**{section}**", "")
        elif not line:
            if section and not raw.startswith(" "):
                section = section if section in ("Args", "Attributes", "Raises") else ""
            yield ""
        elif section == "Example":
            if not code:
                yield "```pycon"
                code = True
            yield line
        elif section and raw.startswith("    "):
            item = _ITEM.match(line) if len(raw) - len(raw.lstrip()) == 4 else None
            if item:
                yield f"- `{item.group(1)}`: {inline(item.group(2))}"
            else:
                yield f"  {inline(line)}" if section not in ("Returns", "Yields") else inline(line)
        elif raw.startswith("    "):
            yield f"    {line}"  # a formula
        else:
            section = ""
            yield inline(line)
    if code:
        yield "```"


def inline(text: str) -> str:
    """Literals and references of reStructuredText as code of Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda m: f"`{m.group(1).rpartition('.')[2]}`", text)
    return text.replace("``", "`")


def _public(body: list[ast.stmt]) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
            yield node


def _class(node: ast.ClassDef) -> list[str]:
    fields = [s for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
    made = next((s for s in node.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"), None)
    bases = ", ".join(ast.unparse(b) for b in node.bases if not ast.unparse(b).startswith("_"))
    lines = [f"### {node.name}", "", "```text", f"class {node.name}" + (f"({bases})" if bases else "")]
    if made is not None:
        lines.append(_signature(made, node.name).replace("(self, ", "(").replace("(self)", "()"))
    elif fields and all("option(" not in ast.unparse(f) for f in fields):
        lines += [f"    {ast.unparse(f)}" for f in fields if not ast.unparse(f.target).startswith("_")]
    elif bases.endswith("Enum"):
        lines += [f"    {ast.unparse(s)}" for s in node.body if isinstance(s, ast.Assign)]
    lines += ["```", "", *markdown(ast.get_docstring(node) or ""), ""]
    for method in _public(node.body):
        if isinstance(method, ast.FunctionDef) and ast.get_docstring(method):
            lines += _function(method, f"{node.name}.{method.name}", "####")
    return lines


def _function(node: ast.FunctionDef, name: str, heading: str) -> list[str]:
    text = _signature(node, node.name)
    if any(ast.unparse(d) in ("property", "cached_property") for d in node.decorator_list):
        text = f"{node.name}: {ast.unparse(node.returns)}" if node.returns else node.name
    text = text.replace("(self, ", "(").replace("(self)", "()")
    return [f"{heading} {name}", "", "```text", text, "```", "", *markdown(ast.get_docstring(node) or ""), ""]


def _signature(node: ast.FunctionDef, name: str) -> str:
    result = f" -> {ast.unparse(node.returns)}" if node.returns and node.name != "__init__" else ""
    text = f"{name}({ast.unparse(node.args)}){result}"
    if len(text) <= 100:
        return text
    arguments = re.split(r", (?=\w+:|\*)", ast.unparse(node.args))
    return f"{name}(\n" + "".join(f"    {a},\n" for a in arguments if a != "self") + f"){result}"
