"""`vufctl upgrade ... -- PROGRAM`: vufctl starts the new QEMU itself, a real one."""

from __future__ import annotations

import pathlib
import unittest

import bed
from world import World


class UpgradeProgramTest(World):
    """The new QEMU is vufctl's child, so the test looks at its monitor and its console only."""

    def setUp(self) -> None:
        super().setUp()
        self.door = self.keeper()
        self.from_vm = self.source([self.door], period_us=0)
        self.from_vm.wait_n(60)

    def _line(self) -> list[str]:
        """The source's command line, for a destination beside it."""
        line = pathlib.Path(f"/proc/{self.from_vm.pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        return [word.replace("/src.", "/dst.") for word in line] + ["-S", "-incoming", "defer"]

    def _upgrade(self, *flags: str) -> None:
        """Runs vufctl to its end and sees the guest work in what it started."""
        done = self.vufd.run("upgrade", "guest", f"--to={self.arena.path('dst.vufd.qmp')}", *flags, "--", *self._line(),
                             timeout=90)
        monitor = bed.Qmp(self.arena.path("dst.test.qmp"))
        # It is nobody's child any more.
        self.addCleanup(monitor.raw, "quit")
        self.assertEqual(done.returncode, 0, f"{done.stdout} {done.stderr} {self.vufd.log()[-2000:]}")
        self.assertIn("succeeded", done.stdout)
        self.assertEqual(monitor.status(), "running")
        bed.wait_for("the source to quit", lambda: not self.from_vm.alive(), 20)
        self._assert_guest_works()
        self.assert_chain_intact()
        self.assert_at_rest(self.door, 1)

    def _assert_guest_works(self) -> None:
        console = bed.Console(self.arena.path("dst.console"))
        first = bed.wait_for("a heartbeat", console.last_beat, 30)
        bed.wait_for("more records", lambda: console.last_beat().least_n() > first.least_n() + 40, 30)
        self.assertEqual(console.errors(), [])

    def test_beside_the_old_one(self) -> None:
        self._upgrade()

    def test_after_the_old_one(self) -> None:
        self._upgrade("--sequential", f"--state-file={self.arena.path('guest-state')}")


if __name__ == "__main__":
    unittest.main()
