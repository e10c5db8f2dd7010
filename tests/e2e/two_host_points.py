"""A guest that goes to and fro between two hosts, while an agent dies, or the link is cut, at every point."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import threading
import time
import unittest
from collections.abc import Callable
from typing import Any

import bed
from bed.programs import built_program
from two_host_world import TwoHostWorld

_SETTLE_SECONDS = 60
# Longer than a lease, so that the destination's agent has seen that it is alone.
_CUT_SECONDS = 4


def not_reached(case: unittest.TestCase, point: str) -> tuple[str, str]:
    """What is said of a point that no migration gets to any more. Others than these looks each one has to."""
    case.assertIn("[migrate at the source]", point, f"vufd did not get to {point}")
    return "SUCCEEDED", "destination; not reached, memory was copied too fast for a look"


class TwoHostPoints(TwoHostWorld):
    """`self.home` is the host where the guest runs; the next migration goes to the other one."""

    what = ""

    def setUp(self) -> None:
        super().setUp()
        self.program = built_program("VUFD_CRASHPOINTS_BIN", "bazel-bin/tests/fault/vufd_crashpoints")
        self.agents = {"a": self.vufd, "b": self.there}
        self.home = "a"
        self.number = 0
        self.here = self.vm_on("a", "q0")
        self.agents["a"].json("vms", "register", self.here.monitor, "--id=guest")
        self.here.wait_n(50)

    @property
    def away(self) -> str:
        """Where the guest does not run."""
        return "b" if self.home == "a" else "a"

    def watched(self) -> str:
        """The host whose agent dies."""
        return self.home

    def _next_destination(self) -> bed.Vm:
        self.number += 1
        return self.vm_on(self.away, f"q{self.number}", incoming=True)

    def _replace(self, host: str, *options: str) -> None:
        """kill -9, and one that dies, stops or (without options) is an ordinary one."""
        self.agents[host].kill()
        self.agents[host] = self.start_agent(host, self.program if options else "", options)

    def _start(self, there: bed.Vm) -> None:
        """Its answer may be lost with the agent."""
        try:
            self.agents[self.home].json("migrate", "guest", f"--to={there.monitor}", self.to(self.away))
        except bed.VufctlError:
            pass

    def _migrations(self, timeout: float = 60) -> list[dict[str, Any]]:
        """Of the agent where the guest runs, newest first."""
        listed: dict[str, Any] = self.agents[self.home].json("migrations", "list", timeout=timeout)
        return listed.get("migrations", [])

    def _names(self) -> list[str]:
        return [migration["name"] for migration in self._migrations()]

    def _begun(self, known: set[str]) -> dict[str, Any]:
        """The migration that was begun since, at its end."""
        begun = [name for name in self._names() if name not in known]
        self.assertLessEqual(len(begun), 1)
        if not begun:
            return {"state": "-"}

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.agents[self.home].json("migrations", "get", begun[0])
            return found if "end_time" in found else None
        return bed.wait_for(f"{begun[0]} to end", ended, _SETTLE_SECONDS, self._logs)

    def _logs(self) -> str:
        refused = [[finding["code"] + ": " + finding["message"] for finding in migration["verdict"]["blockers"]]
                   for migration in self._migrations()[:1]
                   if migration["state"] == "STATE_REFUSED"]
        return f"{refused}\n" + "\n".join(self.agents[host].log()[-2500:] for host in "ab")

    def learn(self) -> list[str]:
        """The points of a migration that succeeds, in their order."""
        host = self.watched()
        self._replace(host, "--die-at=")
        there = self._next_destination()
        known = set(self._names())
        self._start(there)
        migration = self._begun(known)
        marker = "crash point: "
        told = [line.removeprefix(marker) for line in self.agents[host].log().splitlines() if line.startswith(marker)]
        self._replace(host)
        self._settle(migration, there)
        return list(dict.fromkeys(told))

    def disturb(self, point: str, known: set[str], there: bed.Vm) -> bool:
        """Begins a migration and lets the agent die at the point; False: it did not get there."""
        host = self.watched()
        self._replace(host, f"--die-at={point}")
        self._start(there)
        reached = self._reached(point, known, lambda: not self.agents[host].alive())
        self._replace(host)
        return reached

    def _reached(self, point: str, known: set[str], is_there: Callable[[], bool]) -> bool:
        """False: the migration has ended well without."""
        def probe() -> str | None:
            if is_there():
                return "reached"
            try:
                listed = self._migrations(timeout=5)
            except (bed.VufctlError, subprocess.TimeoutExpired):
                return None
            ended = [one for one in listed if one["name"] not in known and one["state"] == "STATE_SUCCEEDED"]
            return "ended" if ended else None
        return bed.wait_for(f"vufd to get to {point}", probe, 60, self._logs) == "reached"

    def at(self, point: str) -> tuple[str, str]:
        """The state that the migration ended in, and where the guest runs."""
        for _ in range(3):
            known = set(self._names())
            there = self._next_destination()
            reached = self.disturb(point, known, there)
            migration = self._begun(known)
            where = self._settle(migration, there)
            if reached:
                return migration["state"].removeprefix("STATE_"), where
        return not_reached(self, point)

    def _settle(self, migration: dict[str, Any], there: bed.Vm) -> str:
        def running() -> list[bed.Vm]:
            return [vm for vm in (self.here, there) if vm.runs()]

        bed.wait_for("a guest to run", running, _SETTLE_SECONDS, lambda: f"{migration} {self._logs()}")
        self._await_at_rest()
        vms = running()
        self.assertEqual(len(vms), 1, migration)
        moved = vms[0] is there
        self.assertEqual(moved, migration["state"] == "STATE_SUCCEEDED", migration)
        left = self.here if moved else there
        if moved:
            self.here, self.home = there, self.away
            self.stateful_moves += 1
        else:
            # Refused: the other host could not be asked.
            self.assertIn(migration["state"], ("-", "STATE_FAILED", "STATE_REFUSED"), migration)
        left.kill()
        self._assert_whole()
        return "destination" if moved else "source"

    def _await_at_rest(self) -> None:
        """No agent holds anything any more."""
        def open_ones() -> list[dict[str, Any]]:
            listed = [one for agent in self.agents.values() for one in agent.json("incoming").get("reservations", [])]
            return [one for one in listed if one["state"] not in ("STATE_RELEASED", "STATE_DONE")]
        bed.wait_for("nothing to be reserved", lambda: not open_ones(), _SETTLE_SECONDS,
                     lambda: f"{open_ones()} {self._logs()}")

    def _assert_whole(self) -> None:
        self.here.progress(20)
        self.here.assert_healthy(self.stateful_moves)
        self.assert_chain_intact()
        self.assert_settings_restored(self.here)
        self.assertEqual(self.agents[self.home].json("vms", "get", "guest")["qmp_socket"], self.here.monitor)
        self.assertNotEqual(self.agents[self.away].run("vms", "get", "guest").returncode, 0, "it is at both hosts")

    def finish(self) -> None:
        """A migration that nobody disturbs."""
        there = self._next_destination()
        known = set(self._names())
        self._start(there)
        migration = self._begun(known)
        self.assertEqual(migration["state"], "STATE_SUCCEEDED", migration)
        self._settle(migration, there)

    def runTest(self) -> None:  # noqa: N802 (unittest's name)
        """Only here because a test case has one."""


class SourceDies(TwoHostPoints):
    """The agent where the guest runs."""

    what = "two hosts, the source's agent dies"


class DestinationDies(TwoHostPoints):
    """The agent where the guest goes."""

    what = "two hosts, the destination's agent dies"

    def watched(self) -> str:
        return self.away


class LinkCut(TwoHostPoints):
    """The source's agent stands still at the point, the link is cut, and it goes on; later the link is back."""

    what = "two hosts, the link is cut"

    def disturb(self, point: str, known: set[str], there: bed.Vm) -> bool:
        host = self.home
        self._replace(host, f"--stop-at={point}")
        agent = self.agents[host]
        starter = threading.Thread(target=self._start, args=(there,))
        starter.start()
        if not self._reached(point, known, lambda: _stopped(agent.pid)):
            starter.join()
            self._replace(host)
            return False
        self.networks.cut()
        os.kill(agent.pid, signal.SIGCONT)
        # For as long as a link is cut; nothing tells when both have noticed.
        time.sleep(_CUT_SECONDS)
        self.networks.heal()
        starter.join()
        return True


def _stopped(pid: int) -> bool:
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return stat.rsplit(")", 1)[1].split()[0] == "T"


FORMS: dict[str, Callable[[], TwoHostPoints]] = {
    "source-dies": SourceDies, "destination-dies": DestinationDies, "link-cut": LinkCut}
