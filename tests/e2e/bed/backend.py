"""Starting a virtiofsd."""

from __future__ import annotations

from collections.abc import Sequence

from bed.arena import Arena, Process
from bed.manifest import load_manifest
from bed.wait import wait_for

C_ROLE = "c72"
# What a back-end needs so that files which are open but unlinked survive; 1.14 has the capability anyway.
FILE_HANDLES = ("--migration-mode=file-handles", "--modcaps=+dac_read_search")


class BackEnd(Process):
    """A virtiofsd of a role (1.13, 1.14: Rust, c72: the old C one) that serves `share` on `socket`.

    Never connect to `socket`: an idle virtiofsd exits when its first client leaves.
    """

    def __init__(self, arena: Arena, name: str, share: str, role: str = "1.14", options: Sequence[str] = FILE_HANDLES,
                 *, sandbox: str | None = None, socket_path: str | None = None) -> None:
        self.share = share
        self.role = role
        self.socket = socket_path or arena.path(f"{name}.sock")
        program = load_manifest().virtiofsd[role].path
        sandbox = sandbox or load_manifest().sandbox
        if role == C_ROLE:
            own = [f"--socket-path={self.socket}", "-o", f"source={share}", "-o", f"sandbox={sandbox}", "-f"]
            options = [option for option in options if option not in FILE_HANDLES]
        else:
            own = ["--socket-path", self.socket, "--shared-dir", share, "--sandbox", sandbox, "--log-level", "info"]
        super().__init__(arena, name, [program, *own, *options])
        arena.wait_for_file(self.socket, self)
        # The process that serves is forked after that, on a busy host long after: a QEMU that is started before is
        # older than its back-end, which vufd takes for a restarted one from 100 ms on.
        if role != C_ROLE and sandbox == "namespace":
            wait_for(f"{name} to have forked", lambda: len(self.pids()) > 1, 20, self.log)
