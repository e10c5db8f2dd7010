"""Where the programs under test are."""

from __future__ import annotations

import os
import pathlib

_ROOT = pathlib.Path(__file__).resolve().parents[3]


def built_program(variable: str, default: str) -> str:
    """The executable that the environment names with `variable`, or else what Bazel built at `default`."""
    path = os.environ.get(variable) or str(_ROOT / default)
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"{path} is not an executable: build it with bazel, or point {variable} at it")
    return path
