"""Migrations that fail, are cancelled, or lose their agent: the guest must run on, exactly once."""

from __future__ import annotations

import os
import resource
import signal
import time
import unittest

import bed
from world import World

# Slow enough that a test can step in while guest memory is being copied.
SLOWLY = "--max-bandwidth=4M"


class FailureTest(World):
    """The source runs its guest; something goes wrong on the way."""

    def setUp(self) -> None:
        super().setUp()
        self.from_vm = self.source()
        self.from_vm.wait_n(50)
        self.to_fs = self.back_end("dst-fs")
        self.to_vm = self.destination([self.to_fs])

    def _pause(self, process: bed.Process) -> None:
        os.kill(process.pid, signal.SIGSTOP)
        self.addCleanup(self._resume, process)

    @staticmethod
    def _resume(process: bed.Process) -> None:
        if process.alive():
            os.kill(process.pid, signal.SIGCONT)

    def _reach_pre_switchover_without_vufd(self) -> str:
        """QEMU goes on to pre-switchover while vufd is stopped, so that it finds a changed world."""
        mark = self.from_vm.qmp.mark()
        name = self.start_migration(self.to_vm, "--max-bandwidth=64M")
        self.from_vm.qmp.wait_event("MIGRATION", since=mark, where=lambda data: data["status"] == "active")
        self._pause(self.vufd)
        self.from_vm.qmp.wait_event("MIGRATION", since=mark, timeout=60,
                                    where=lambda data: data["status"] == "pre-switchover")
        return name

    @staticmethod
    def _open_files(pid: int) -> int:
        time.sleep(0.05)
        return len(os.listdir(f"/proc/{pid}/fd"))

    def test_without_descriptors_it_refuses_and_recovers(self) -> None:
        pid = self.vufd.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        # Enough for vufctl's connection, not for looking at two QEMUs and their back-ends. vufd's own rounds open
        # more for a moment.
        few = min(self._open_files(pid) for _ in range(30)) + 2
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, before[1]))
        verdict = self.evaluate(self.to_vm)
        self.assertEqual(verdict["decision"], "DECISION_REFUSE", verdict)
        self.assertIn("Too many open files", str(verdict["blockers"]))
        migration = self.migrate(self.to_vm)
        self.assertIn(migration["state"], ("STATE_REFUSED", "STATE_FAILED"), migration)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        self.assert_untouched(self.from_vm)
        self.assert_allowed(self.evaluate(self.to_vm))
        self.assert_moved(self.migrate(self.to_vm), self.from_vm, self.to_vm)

    def test_cancel_while_memory_is_copied(self) -> None:
        name = self.start_migration(self.to_vm, SLOWLY)
        self.await_state(name, ("STATE_TRANSFERRING",))
        self.vufd.json("cancel", name)
        self.assertEqual(self.await_state(name)["state"], "STATE_CANCELLED")
        self.assert_stayed(self.from_vm)

    def test_cancel_at_pre_switchover(self) -> None:
        name = self._reach_pre_switchover_without_vufd()
        # The destination cannot answer vufd's look, be it the one of each second or the one at
        # pre-switchover: the cancel arrives while it waits.
        self._pause(self.to_vm)
        self._resume(self.vufd)
        self.vufd.json("cancel", name)
        self.assertEqual(self.await_state(name)["state"], "STATE_CANCELLED")
        self.assert_stayed(self.from_vm)

    def test_destination_back_end_dies_at_pre_switchover(self) -> None:
        name = self._reach_pre_switchover_without_vufd()
        self.to_fs.kill()
        self._resume(self.vufd)
        migration = self.await_state(name)
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assert_stayed(self.from_vm)

    def test_destination_qemu_dies_at_pre_switchover(self) -> None:
        name = self._reach_pre_switchover_without_vufd()
        self.to_vm.kill()
        self._resume(self.vufd)
        migration = self.await_state(name)
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assert_stayed(self.from_vm)

    def test_destination_qemu_dies_while_memory_is_copied(self) -> None:
        name = self.start_migration(self.to_vm, SLOWLY)
        self.await_state(name, ("STATE_TRANSFERRING",))
        self.to_vm.kill()
        migration = self.await_state(name)
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assertIn("source", migration["message"])
        self.assert_stayed(self.from_vm)

    def test_operator_stops_the_guest_while_memory_is_copied(self) -> None:
        name = self.start_migration(self.to_vm, SLOWLY)
        self.await_state(name, ("STATE_TRANSFERRING",))
        self.from_vm.qmp.cmd("stop")
        migration = self.await_state(name)
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assertIn("from running to paused", migration["message"])
        self.assertEqual(self.from_vm.qmp.status(), "paused")
        self.assertNotEqual(self.to_vm.qmp.status(), "running")
        self.from_vm.qmp.cmd("cont")
        self.assert_stayed(self.from_vm)

    def test_time_out(self) -> None:
        migration = self.migrate(self.to_vm, SLOWLY, "--timeout=2s")
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assert_stayed(self.from_vm)

    def test_retry_after_a_failure_succeeds(self) -> None:
        name = self._reach_pre_switchover_without_vufd()
        self.to_fs.kill()
        self._resume(self.vufd)
        self.assertEqual(self.await_state(name)["state"], "STATE_FAILED")
        again = self.vm("again", [self.back_end("again-fs")], incoming=True)
        self.assert_moved(self.migrate(again), self.from_vm, again)

    def test_sigterm_while_memory_is_copied(self) -> None:
        name = self.start_migration(self.to_vm, SLOWLY)
        self.await_state(name, ("STATE_TRANSFERRING",))
        self.assertEqual(self.vufd.stop(), 0)
        self.assert_stayed(self.from_vm)
        self.vufd = self.start_vufd()
        self.assertEqual(self.migration(name)["state"], "STATE_CANCELLED")

    def test_kill_9_at_pre_switchover_then_restart(self) -> None:
        name = self._reach_pre_switchover_without_vufd()
        self.vufd.kill()
        self.assertEqual(self.from_vm.qmp.status(), "finish-migrate")
        self.vufd = self.start_vufd()
        self.assertIn(self.await_state(name)["state"], ("STATE_FAILED", "STATE_INTERRUPTED"))
        bed.wait_for("the source to run again", lambda: self.from_vm.qmp.status() == "running", 20)
        self.from_vm.progress(40)
        self.from_vm.assert_healthy()


if __name__ == "__main__":
    unittest.main()
