"""Stopping a stateless migration at a chosen step, and what must hold after something went wrong there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import bed
from world import World

STATELESS = "--mode=stateless"
# Slow enough that a test can step in while guest memory is being copied.
SLOWLY = "--max-bandwidth=4M"
_DRAIN_LIMIT_MS = 500


class KeeperFaultWorld(World):
    """A guest behind a keeper, and a QEMU it could move to.

    Each `at_...` starts a migration, stops vufd at a step and returns the migration's name; `resume(self.vufd)`
    lets it find out.
    """

    def setUp(self) -> None:
        super().setUp()
        self.door = self.keeper(options=("--drain-limit-ms", str(_DRAIN_LIMIT_MS)))
        self.from_vm = self.source([self.door], gate=True)
        self.from_vm.wait_n(50)
        self.to_vm = self.destination([self.door], gate=True)

    def pause(self, *pids: int) -> None:
        """SIGSTOP; taken back at the end of the test at the latest."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
            self.addCleanup(self.resume, pid)

    @staticmethod
    def resume(pid: int) -> None:
        """SIGCONT to a process that may have ended."""
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def at_transfer(self) -> str:
        """Armed, and guest memory is being copied."""
        name = self.start_migration(self.to_vm, SLOWLY, STATELESS)
        self.await_state(name, ("STATE_TRANSFERRING",))
        self.pause(self.vufd.pid)
        self.assertEqual(self.door.show()["phase"], "PHASE_ARMED")
        return name

    def at_pre_switchover(self) -> str:
        """The guest is stopped and its rings are drained; nothing is saved."""
        mark = self.from_vm.qmp.mark()
        name = self.start_migration(self.to_vm, "--max-bandwidth=64M", STATELESS)
        self.from_vm.qmp.wait_event("MIGRATION", since=mark, where=lambda data: data["status"] == "active")
        self.pause(self.vufd.pid)
        self.from_vm.qmp.wait_event("MIGRATION", since=mark, timeout=60,
                                    where=lambda data: data["status"] == "pre-switchover")
        return name

    def at_load(self) -> str:
        """Both QEMUs are done, the destination has presented the marker, and vufd does not know yet."""
        name = self.at_pre_switchover()
        self.from_vm.qmp.cmd("migrate-continue", {"state": "pre-switchover"})
        for vm in (self.from_vm, self.to_vm):
            bed.wait_for(f"{vm.name} to be done",
                         lambda vm=vm: vm.qmp.cmd("query-migrate").get("status") == "completed", 30)
        self.assertEqual(self.door.show()["phase"], "PHASE_LOADED")
        return name

    def at_fence(self) -> str:
        """The old source is shut out, and nobody has committed."""
        name = self.at_load()
        self.assertTrue(self.door.ctl("fence", "--permit", self.door.show()["permit"])["fenced"])
        return name

    def restart_vufd(self) -> None:
        """kill -9, and a new one on the same registry."""
        self.vufd.kill()
        self.vufd = self.start_vufd()

    def running(self) -> list[bed.Vm]:
        """The QEMUs that run their guest."""
        return [vm for vm in (self.from_vm, self.to_vm) if vm.runs()]

    def assert_one_guest(self, name: str, allowed: Callable[[dict[str, Any]], bool] = lambda _: True) -> bed.Vm:
        """One guest runs, where the API says it does, with its files intact; no permit is left."""
        migration = self.await_state(name)
        self.assertTrue(allowed(migration), migration)
        bed.wait_for("a guest to run", self.running, 30, lambda: f"{migration} {self.vufd.log()[-2000:]}")
        vms = self.running()
        self.assertEqual(len(vms), 1, migration)
        moved = vms[0] is self.to_vm
        self.assertEqual(moved, migration["state"] == "STATE_SUCCEEDED", migration)
        vms[0].progress(40)
        vms[0].assert_healthy()
        self.assert_chain_intact()
        self.assertEqual(self.running(), vms)
        self.assert_at_rest(self.door, 1 if moved else 0)
        self.assertEqual(self.vufd.json("vms", "get", "guest")["qmp_socket"], vms[0].monitor)
        return vms[0]

    def assert_stays(self, name: str, state: str = "STATE_FAILED") -> None:
        """It runs on at its source."""
        self.assertIs(self.assert_one_guest(name, lambda migration: migration["state"] == state), self.from_vm)

    def assert_nobody_runs(self, name: str) -> None:
        """The guest was killed with its source before anything was handed over: that is reported."""
        migration = self.await_state(name)
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assertEqual(self.running(), [])
        self.door.wait()
        self.assert_chain_intact()
