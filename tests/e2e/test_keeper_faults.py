"""Something dies, stops or is cancelled at a step of a stateless hand-over: one guest runs on, and only one."""

from __future__ import annotations

import os
import pathlib
import signal
import time
import unittest

import bed
from keeper_fault_world import SLOWLY, STATELESS, KeeperFaultWorld
from world import BareWorld


class DestinationDiesTest(KeeperFaultWorld):
    """The destination QEMU is killed."""

    def _kill(self, name: str) -> None:
        self.to_vm.kill()
        self.resume(self.vufd.pid)
        self.assert_stays(name)

    def test_at_transfer(self) -> None:
        self._kill(self.at_transfer())

    def test_at_pre_switchover(self) -> None:
        self._kill(self.at_pre_switchover())

    def test_at_load(self) -> None:
        self._kill(self.at_load())

    def test_at_fence(self) -> None:
        self._kill(self.at_fence())


class SourceDiesTest(KeeperFaultWorld):
    """The source QEMU is killed: before the save its guest goes with it, after the load it lives on."""

    def _kill(self) -> None:
        self.from_vm.kill()
        self.resume(self.vufd.pid)

    def test_at_transfer(self) -> None:
        name = self.at_transfer()
        self._kill()
        self.assert_nobody_runs(name)

    def test_at_pre_switchover(self) -> None:
        name = self.at_pre_switchover()
        self._kill()
        self.assert_nobody_runs(name)

    def test_at_load(self) -> None:
        name = self.at_load()
        self._kill()
        self.assertIs(self.assert_one_guest(name), self.to_vm)

    def test_at_fence(self) -> None:
        name = self.at_fence()
        self._kill()
        self.assertIs(self.assert_one_guest(name), self.to_vm)


class AgentDiesTest(KeeperFaultWorld):
    """vufd is killed and started again."""

    def test_at_transfer(self) -> None:
        name = self.at_transfer()
        self.restart_vufd()
        self.assert_one_guest(name)

    def test_at_pre_switchover(self) -> None:
        name = self.at_pre_switchover()
        self.restart_vufd()
        self.assert_one_guest(name)

    def test_at_load(self) -> None:
        name = self.at_load()
        self.restart_vufd()
        self.assert_one_guest(name)

    def test_at_fence(self) -> None:
        name = self.at_fence()
        self.restart_vufd()
        self.assert_one_guest(name)


class CancelTest(KeeperFaultWorld):
    """Somebody cancels; past the point of no return that is refused, never half done."""

    def _cancel(self, name: str, *also: str) -> bed.Vm:
        # Waits at vufd's socket until it goes on.
        bed.Process(self.arena, "cancel", self.vufd.command("cancel", name))
        self.resume(self.vufd.pid)
        ends = ("STATE_CANCELLED", "STATE_SUCCEEDED", *also)
        return self.assert_one_guest(name, lambda end: end["state"] in ends)

    def test_at_transfer(self) -> None:
        self.assertIs(self._cancel(self.at_transfer()), self.from_vm)

    def test_at_pre_switchover(self) -> None:
        self._cancel(self.at_pre_switchover())

    def test_at_load(self) -> None:
        # vufd did not say `migrate-continue` itself, and may find that out before it hears of the cancel.
        self._cancel(self.at_load(), "STATE_FAILED")


class BackEndTest(KeeperFaultWorld):
    """The back-end does not answer, or dies."""

    def test_it_stops_while_memory_is_copied(self) -> None:
        name = self.start_migration(self.to_vm, SLOWLY, STATELESS)
        self.await_state(name, ("STATE_TRANSFERRING",))
        pids = self.door.back_end.pids()
        self.pause(*pids)
        self.from_vm.qmp.cmd("migrate-set-parameters", {"max-bandwidth": 1 << 30})
        self.assertEqual(self.await_state(name)["state"], "STATE_FAILED")
        for pid in pids:
            self.resume(pid)
        self.assert_stays(name)

    def test_a_request_outlasts_the_drain_limit(self) -> None:
        name = self.start_migration(self.to_vm, SLOWLY, STATELESS)
        self.await_state(name, ("STATE_TRANSFERRING",))
        with bed.Gate(self.share):
            bed.wait_for("the guest to wait at the gate", self._waits_at_the_gate, 20)
            self.from_vm.qmp.cmd("migrate-set-parameters", {"max-bandwidth": 1 << 30})
            self.assertEqual(self.await_state(name)["state"], "STATE_FAILED")
            self.assertEqual(self.from_vm.qmp.status(), "running")
        self.assert_stays(name)
        self.assertGreater(int(self.door.show()["drain_timeouts"]), 0)
        again = self.vm("again", [self.door], incoming=True, gate=True)
        self.assert_moved(self.migrate(again, STATELESS), self.from_vm, again)

    def test_a_request_is_blocked_before_the_migration(self) -> None:
        # With virtiofsd's one thread busy, QEMU itself stands still when it begins to log guest
        # memory (with a keeper or without): vufd may lose patience, or see it through.
        with bed.Gate(self.share):
            bed.wait_for("the guest to wait at the gate", self._waits_at_the_gate, 20)
            name = self.start_migration(self.to_vm, STATELESS)
            self.await_state(name, ("STATE_TRANSFERRING", "STATE_FAILED"))
        self.assert_one_guest(name)

    def _waits_at_the_gate(self) -> bool:
        share = self.from_vm.wait_beat().shares["share0"]
        # The rest of its work has to wait as well: virtiofsd has one thread.
        return share.gate_tries > share.gate_opens and share.age_ms > 200

    def test_it_dies_at_pre_switchover(self) -> None:
        name = self.at_pre_switchover()
        self.door.back_end.kill()
        self.resume(self.vufd.pid)
        migration = self.await_state(name)
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assertEqual(self.running(), [self.from_vm])
        self.assertEqual(self.door.wait(), 3)
        self.assert_chain_intact()


class FrozenBackEndTest(BareWorld):
    """A back-end that is stopped at any moment while its rings are stopped and started."""

    def test_its_worker_lives(self) -> None:
        door = self.keeper(options=("--drain-limit-ms", "20"))
        vm = self.vm("guest", [door], period_us=200)
        vm.wait_n(20)
        pids = door.back_end.pids()
        threads = self._threads(pids)
        self.assertIn("vring_worker", threads)
        for _ in range(100):
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            # Long enough for the guest to have kicked: then QEMU finds that kick when it stops.
            time.sleep(0.02)
            vm.qmp.cmd("stop")
            vm.qmp.cmd("cont")
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            try:
                vm.progress(1)
            finally:
                self.assertEqual(self._threads(pids), threads)
        vm.assert_healthy()

    @staticmethod
    def _threads(pids: list[int]) -> list[str]:
        names = [name for pid in pids for name in pathlib.Path(f"/proc/{pid}/task").glob("*/comm")]
        return sorted(name.read_text().strip() for name in names)


if __name__ == "__main__":
    unittest.main()
