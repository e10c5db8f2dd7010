"""Starting a vuf-keeper and asking it over its control socket."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from bed.arena import Arena, Process
from bed.backend import BackEnd
from bed.programs import built_program
from bed.wait import wait_for

READY = "vuf-keeper: ready"


class KeeperctlError(Exception):
    """vuf-keeperctl ended with an error; `reason` is what it said."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.reason = done.stderr.strip() or done.stdout.strip()
        super().__init__(f"{' '.join(done.args)}: status {done.returncode}: {self.reason}")
        self.status = done.returncode


class Keeper(Process):
    """A vuf-keeper on `socket` in front of `back_end`; ready for front-ends when the constructor returns.

    Unlike a virtiofsd's, its socket may be connected to at any time.
    """

    def __init__(self, arena: Arena, name: str, back_end: BackEnd, options: Sequence[str] = (), *,
                 socket_path: str | None = None) -> None:
        self.back_end = back_end
        self.socket = socket_path or arena.path(f"{name}.sock")
        self.control = arena.path(f"{name}.ctl")
        self._keeperctl = built_program("VUF_KEEPERCTL_BIN", "bazel-bin/keeper/vuf-keeperctl")
        super().__init__(arena, name, [built_program("VUF_KEEPER_BIN", "bazel-bin/keeper/vuf-keeper"),
                                       "--socket-path", self.socket, "--control-socket", self.control,
                                       "--back-end-socket", back_end.socket, *options])
        wait_for(f"{name} to be ready", self._ready, 10, self.log)

    def _ready(self) -> bool:
        if not self.alive():
            raise RuntimeError(f"{self.name} exited with {self.returncode()}: {self.log()[-1500:]}")
        return READY in self.log()

    def ctl(self, *arguments: str, timeout: float = 20) -> dict[str, Any]:
        """Runs vuf-keeperctl; returns the session it printed or raises KeeperctlError."""
        line = [self._keeperctl, "--control-socket", self.control, "--output=json", *arguments]
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                              check=False)
        if done.returncode != 0:
            raise KeeperctlError(done)
        return dict(json.loads(done.stdout))

    def show(self) -> dict[str, Any]:
        """The session as it stands."""
        return self.ctl("show")

    def front_ends(self, role: str) -> list[dict[str, Any]]:
        """Who is connected in a role (ROLE_DRIVER, ROLE_IDLE, ROLE_NOMINEE or ROLE_FENCED)."""
        return [front_end for front_end in self.show().get("front_ends", []) if front_end["role"] == role]

    def arm(self, permit: str, *, ttl_ms: int = 60_000, source_inode: int | None = None,
            destination_inode: int | None = None) -> dict[str, Any]:
        """Permits one stateless hand-over from the driver, to `destination_inode` if it is given."""
        if source_inode is None:
            source_inode = int(self.front_ends("ROLE_DRIVER")[0]["socket_inode"])
        whom = [] if destination_inode is None else ["--destination-inode", str(destination_inode)]
        return self.ctl("arm", "--permit", permit, "--mode", "stateless", "--direction", "outgoing", "--ttl-ms",
                        str(ttl_ms), "--source-inode", str(source_inode), *whom)
