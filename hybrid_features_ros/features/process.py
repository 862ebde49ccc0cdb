# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""An extractor in a process of its own: Python lets the threads of one process share a single core."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from multiprocessing.connection import Connection, Pipe
from typing import Any

from numpy.typing import NDArray

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Features
from hybrid_features_ros.features.extractor import Adjustable, make_extractor
from hybrid_features_ros.features.image import to_gray

# Ctrl-C is for the process that asks; the end of the pipe ends this one.
_CHILD = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    f"from {__name__} import serve; serve(int(sys.argv[1]))"
)
_ENDS_S = 1.0  # how long a process that has closed its end of the pipe may take to say how it ended


class ProcessExtractor:
    """What :func:`make_extractor` makes, computing elsewhere; images and features go through a pipe.

    The process ends with this object, or with the process that made it.

    Args:
        config: of the extractor.

    Attributes:
        budget: most keypoints of an image; as the extractor's own, if that can be changed.
        provider: what computes the features.

    Raises:
        InputError: as :func:`make_extractor`.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self.budget = config.max_keypoints
        self._config = config
        self.provider = self._start()

    def extract(self, image: NDArray[Any]) -> Features:
        """The features of an image (H, W) or (H, W, 3) uint8, as those of the extractor in this process.

        Raises:
            InputError: the image is empty or of another shape or type, or the process has ended; another one
                is started.
        """
        given = image if ":" in self._config.extractor else to_gray(image)  # ours need no colours
        try:
            features: Features = self._ask((given, self.budget))
        except (EOFError, OSError):
            self.close(_ENDS_S)
            code = self._process.returncode
            self._start()
            raise InputError(
                f"the process that extracts features has ended with status {code} and was started anew; this "
                "image is lost (status -9: killed, usually for want of memory)"
            ) from None
        return features

    def close(self, patience: float = 0.0) -> None:
        """End the process, which has nothing to lose; before it is killed, it has so many seconds to end."""
        self._pipe.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # it never came to be
            self.close()

    def _start(self) -> str:
        self._pipe, theirs = Pipe()
        with theirs:
            handle = theirs.fileno()
            self._process = subprocess.Popen([sys.executable, "-c", _CHILD, str(handle)], pass_fds=[handle])
        try:
            return str(self._ask(self._config))
        except (EOFError, OSError):
            self.close(_ENDS_S)
            raise InputError("the process that extracts features ends at once; see its error above") from None

    def _ask(self, what: Any) -> Any:
        self._pipe.send(what)
        answer = self._pipe.recv()
        if not isinstance(answer, Exception):
            return answer
        try:
            raise answer
        finally:
            del answer  # its traceback would keep this object alive


def serve(handle: int) -> None:
    """What the process does: answer a configuration with the extractor's provider, then images with features.

    Args:
        handle: file descriptor of the pipe, whose end is the end of this process.
    """
    pipe = Connection(handle)
    with contextlib.suppress(EOFError, OSError):
        try:
            extractor = make_extractor(pipe.recv())
        except InputError as error:
            pipe.send(error)
            return
        pipe.send(getattr(extractor, "provider", "OpenCV"))
        while True:
            image, budget = pipe.recv()
            if isinstance(extractor, Adjustable):
                extractor.budget = budget
            try:
                pipe.send(extractor.extract(image))
            except Exception as error:  # noqa: BLE001  of any extractor: told where it was asked
                pipe.send(error)
