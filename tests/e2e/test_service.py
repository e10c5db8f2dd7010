"""vufd as its unit runs it: with the unit's capabilities only, and heard by its service manager."""

from __future__ import annotations

import pathlib
import re
import socket
import subprocess
import unittest

import bed
from world import World

_UNIT = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "systemd" / "vufd.service"


def _capabilities() -> list[str]:
    found = re.search(r"^CapabilityBoundingSet=(.*)$", _UNIT.read_text(), re.MULTILINE)
    assert found is not None
    return [name.removeprefix("CAP_").lower() for name in found.group(1).split()]


class ServiceTest(World):
    """The sandbox that this machine can make without systemd: capabilities and no new privileges."""

    def start_vufd(self) -> bed.Vufd:
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(self.arena.path("notify"))
        self.manager.settimeout(20)
        kept = ",".join(["-all", *(f"+{name}" for name in _capabilities())])
        return bed.Vufd(self.arena, wrapper=(
            "env", f"NOTIFY_SOCKET={self.arena.path('notify')}", "WATCHDOG_USEC=400000",
            "setpriv", "--no-new-privs", f"--bounding-set={kept}", f"--inh-caps={kept}", "--"))

    def test_it_discovers_and_migrates(self) -> None:
        status = pathlib.Path(f"/proc/{self.vufd.pid}/status").read_text()
        effective = int(re.search(r"^CapEff:\s*(\S+)", status, re.MULTILINE).group(1), 16)
        self.assertEqual(effective.bit_count(), len(_capabilities()), status)
        source = self.source()
        source.wait_n(20)
        destination = self.destination()
        self.assert_moved(self.migrate(destination), source, destination)

    def test_its_service_manager_hears_of_it(self) -> None:
        heard = [self.manager.recv(100).decode() for _ in range(3)]
        self.assertEqual(heard, ["READY=1", "WATCHDOG=1", "WATCHDOG=1"])
        self.vufd.stop()
        while heard[-1] == "WATCHDOG=1":
            heard.append(self.manager.recv(100).decode())
        self.assertEqual(heard[-1], "STOPPING=1")


class UnitTest(unittest.TestCase):
    """What systemd's own tools say of the unit."""

    def test_exposure(self) -> None:
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=25", str(_UNIT)],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-300:] + done.stderr)


if __name__ == "__main__":
    unittest.main()
