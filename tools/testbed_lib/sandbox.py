"""Finds out how virtiofsd can confine itself on this host: by trying."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence

from bed import mounted_root

from testbed_lib.common import BedError, say

# Best first. A namespace sandbox pivots its root, which an unprivileged container cannot do.
_SANDBOXES = ("namespace", "chroot")
_START_LIMIT = 5.0


def choose(virtiofsds: Sequence[str]) -> str:
    """The first sandbox in which every one of the Rust virtiofsds starts."""
    mounted_root.ensure_mounted_root()
    said = ""
    for kind in _SANDBOXES:
        said = next((trouble for path in virtiofsds if (trouble := _trouble(path, kind))), "")
        if not said:
            return kind
        say(f"virtiofsd does not start with --sandbox={kind} here")
    raise BedError(f"virtiofsd starts in no sandbox on this host: {said}")


def _trouble(path: str, kind: str) -> str:
    """Starts a virtiofsd and ends it; what it said when it did not come up, else nothing."""
    with tempfile.TemporaryDirectory(prefix="vufd-sandbox-") as name:
        scratch = pathlib.Path(name)
        (scratch / "share").mkdir()
        argv = [path, "--socket-path", str(scratch / "s"), "--shared-dir", str(scratch / "share"), "--sandbox", kind]
        with (open(scratch / "log", "wb") as log,
              subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process):
            try:
                end = time.monotonic() + _START_LIMIT
                while time.monotonic() < end and process.poll() is None:
                    if b"Waiting for vhost-user socket" in (scratch / "log").read_bytes():
                        return ""
                    time.sleep(0.02)
            finally:
                if process.poll() is None:
                    _kill_with_children(process.pid)
        return (scratch / "log").read_text(errors="replace").strip() or f"{path} is silent"


def _kill_with_children(pid: int) -> None:
    """The forked server survives its parent, so it goes first."""
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
