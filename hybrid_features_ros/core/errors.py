# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The one error that a user can cause and mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Something given from outside (a path, a value, a message) cannot be used.

    The text is one line for the user: it names the value and the remedy. Command lines print it and
    exit with status 1, nodes log it and wait for better input; any other exception is a bug of ours
    and keeps its traceback.
    """


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Imports of what only an extra of pyproject.toml installs: says which, and how, where it is missing.

    Debian's and Ubuntu's own Python refuses pip (PEP 668), so the remedy is one that works there, too, and
    that leaves the packages of ROS in sight.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        package = _ON_PYPI.get(module, module)
        raise InputError(
            f"{module} is not installed (extra `{name}`): pip install {package}; where pip refuses, inside "
            "`python3 -m venv --system-site-packages ~/venv && . ~/venv/bin/activate`"
        ) from error


_ON_PYPI = {"rerun": "rerun-sdk"}  # what is installed under another name than it is imported


@contextmanager
def reading(what: object, remedy: str = "") -> Iterator[None]:
    """The border to data from outside: whatever a parser raises inside becomes an :class:`InputError`.

    Libraries that decode files and messages raise errors of every kind on data that is cut off, swapped or of
    another type. Only their calls, and the unpacking of what they return, belong inside.

    Args:
        what: the file, topic or message that is read or written; begins the line.
        remedy: ends the line.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        text = getattr(error, "strerror", None) or " ".join(str(error).split())
        if isinstance(error, KeyError):
            text = f"{text} is missing"
        reason = text[:200] or type(error).__name__
        raise InputError(f"{what}: {reason}" + (f"; {remedy}" if remedy else "")) from error
