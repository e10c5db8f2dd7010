"""Two network namespaces with a link between them: two hosts, as far as the network goes."""

from __future__ import annotations

import pathlib
import subprocess

from bed.arena import Arena, Process
from bed.wait import wait_for


class Network:
    """One side: what is started while `arena.network` is `path` has this network and no other."""

    def __init__(self, arena: Arena, name: str, address: str) -> None:
        self.address = address
        # Holds the namespace, which goes with it.
        self._holder = Process(arena, f"network-{name}", ["unshare", "--net", "sleep", "infinity"])
        self.device = f"v{name}{self._holder.pid}"
        self.path = f"/proc/{self._holder.pid}/ns/net"
        wait_for(f"network {name}", self._is_own, 10)

    def _is_own(self) -> bool:
        own, here = pathlib.Path(self.path), pathlib.Path("/proc/self/ns/net")
        return own.readlink() != here.readlink()

    def ip(self, *arguments: str) -> None:
        """Runs ip(8) inside."""
        subprocess.run(["nsenter", f"--net={self.path}", "ip", *arguments], check=True, capture_output=True, text=True)

    @property
    def pid(self) -> int:
        """A process that has this network."""
        return self._holder.pid


class TwoNetworks:
    """`a` and `b`, each with a loopback and one end of a link."""

    def __init__(self, arena: Arena) -> None:
        self.a = Network(arena, "a", "10.211.0.1")
        self.b = Network(arena, "b", "10.211.0.2")
        self.a.ip("link", "add", self.a.device, "type", "veth", "peer", "name", self.b.device, "netns", str(self.b.pid))
        for side in (self.a, self.b):
            side.ip("link", "set", "lo", "up")
            side.ip("addr", "add", f"{side.address}/24", "dev", side.device)
            side.ip("link", "set", side.device, "up")

    def cut(self) -> None:
        """Nothing comes through any more."""
        self.a.ip("link", "set", self.a.device, "down")

    def heal(self) -> None:
        """It does again."""
        self.a.ip("link", "set", self.a.device, "up")
