"""What every part of the test bed builder shares: messages, errors, stamps, running tools."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any


class BedError(Exception):
    """A part of the bed cannot be had; the text tells the user why."""


def say(text: str) -> None:
    """Prints one progress line."""
    print(f"testbed: {text}", flush=True)


def run(argv: Sequence[str], what: str, *, timeout: float, env: Mapping[str, str] | None = None,
        cwd: pathlib.Path | None = None) -> str:
    """Runs a tool and returns its stdout; failure becomes a BedError that quotes the tool."""
    try:
        done = subprocess.run(argv, env=env, cwd=cwd, timeout=timeout, text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError as error:
        raise BedError(f"{what}: {argv[0]} not found") from error
    except subprocess.TimeoutExpired as error:
        raise BedError(f"{what}: {argv[0]} did not finish within {timeout:.0f} s") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-3000:]
        raise BedError(f"{what}: {' '.join(argv[:3])} ... failed with status {done.returncode}:\n{said}")
    return done.stdout


def digest(*paths: pathlib.Path) -> str:
    """Hash of the contents of files."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


def write_atomically(path: pathlib.Path, data: bytes) -> None:
    """Replaces a file in one step, so that a killed run never leaves half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".new")
    scratch.write_bytes(data)
    os.replace(scratch, path)


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes a JSON file in one step."""
    write_atomically(path, json.dumps(value, indent=2, sort_keys=True).encode() + b"\n")


def read_json(path: pathlib.Path) -> Any:
    """Reads a JSON file; None when absent or damaged (then the step is simply done again)."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
