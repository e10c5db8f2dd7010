"""Starting vufd and talking to it with vufctl."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
from collections.abc import Mapping
from typing import Any

from bed.arena import Arena, Process
from bed.wait import wait_for

_ROOT = pathlib.Path(__file__).resolve().parents[3]


class VufctlError(Exception):
    """vufctl ended with a status other than 0."""

    def __init__(self, argv: list[str], status: int, stdout: str, stderr: str) -> None:
        super().__init__(f"{' '.join(argv)}: status {status}: {stderr.strip() or stdout.strip()}")
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


def _program(variable: str, default: str) -> str:
    path = os.environ.get(variable) or str(_ROOT / default)
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"{path} is not an executable: build it (bazel build), or point {variable} at it")
    return path


class Vufd(Process):
    """A vufd with its configuration (textproto) in the arena; ready when the constructor returns."""

    def __init__(self, arena: Arena, config: str, *, server: str, name: str = "vufd",
                 env: Mapping[str, str] | None = None, ready_timeout: float = 20) -> None:
        self.server = server
        self._vufctl = _program("VUFCTL_BIN", "bazel-bin/client/vufctl")
        config_path = arena.dir / f"{name}.textproto"
        config_path.write_text(config)
        super().__init__(arena, name, [_program("VUFD_BIN", "bazel-bin/server/vufd"), f"--config={config_path}"], env)
        self._wait_ready(ready_timeout)

    def _wait_ready(self, timeout: float) -> None:
        def probe() -> bool:
            if not self.alive():
                raise RuntimeError(f"{self.name} exited with {self.returncode()}: {self.log()[-2000:]}")
            return self.run("version", timeout=5).returncode == 0
        wait_for(f"{self.name} to answer", probe, timeout, lambda: self.log()[-2000:])

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs vufctl against this vufd, whatever its exit status."""
        argv = [self._vufctl, f"--server={self.server}", *arguments]
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                              check=False)

    def json(self, *arguments: str, timeout: float = 60, statuses: tuple[int, ...] = (0,)) -> Any:
        """Runs vufctl with --output=json; returns what it printed. `statuses`: exit codes that are no error."""
        done = self.run("--output=json", *arguments, timeout=timeout)
        if done.returncode not in statuses:
            raise VufctlError(list(done.args), done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def stop(self, timeout: float = 20) -> int:
        """SIGTERM; returns the exit status."""
        return self.terminate(timeout)
