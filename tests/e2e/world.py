"""One vufd with real VMs around it: what the end-to-end tests share."""

from __future__ import annotations

import pathlib
import sys
import unittest
from collections.abc import Sequence
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import bed  # noqa: E402

REFUSED = 3
# What a device may be connected to.
Server = bed.BackEnd | bed.Keeper | str
_FINAL = ("STATE_SUCCEEDED", "STATE_REFUSED", "STATE_FAILED", "STATE_CANCELLED", "STATE_INTERRUPTED")


class BareWorld(unittest.TestCase):
    """VMs that share one directory unless told otherwise, and nobody who manages them."""

    def setUp(self) -> None:
        self.arena = bed.Arena()
        self.addCleanup(self.arena.close)
        self.share = self.arena.share("share")

    def back_end(self, name: str, role: str = "1.14", options: Sequence[str] = bed.backend.FILE_HANDLES,
                 share: str | None = None) -> bed.BackEnd:
        """A virtiofsd on the world's share."""
        return bed.BackEnd(self.arena, name, share or self.share, role, options)

    def keeper(self, name: str = "keeper", role: str = "1.14", options: Sequence[str] = (),
               share: str | None = None) -> bed.Keeper:
        """A vuf-keeper with a virtiofsd of its own behind it."""
        return bed.Keeper(self.arena, name, self.back_end(f"{name}-fs", role, share=share), options)

    def vm(self, name: str, back_ends: Sequence[Server], *, device_options: str = ",queue-size=1024",
           tags: Sequence[str] = (), connect: bool = True, **options: Any) -> bed.Vm:
        """A QEMU with one device per back-end, tagged share0, share1, ... unless told otherwise."""
        tags = tags or [f"share{index}" for index in range(len(back_ends))]
        devices = [bed.Fs(tag, back_end, device_options) for tag, back_end in zip(tags, back_ends, strict=True)]
        return bed.Vm(self.arena, name, devices, connect=connect, **options)

    def assert_chain_intact(self, share: str | None = None) -> None:
        """The guest's records, as the host sees them, form one unbroken chain."""
        report = bed.check_chain(share or self.share)
        self.assertEqual(report.bad, "")
        self.assertGreater(report.records, 0)


class World(BareWorld):
    """A vufd, and VMs that share one directory unless told otherwise."""

    def setUp(self) -> None:
        super().setUp()
        self.vufd = self.start_vufd()
        self.stateful_moves = 0

    def start_vufd(self) -> bed.Vufd:
        """Starts an agent on the arena's registry; a second call is a restart."""
        return bed.Vufd(self.arena, extra="log { level: LEVEL_DEBUG }\n")

    def source(self, back_ends: Sequence[Server] | None = None, **options: Any) -> bed.Vm:
        """A VM that is registered as vms/guest; runs its guest unless it is started paused."""
        vm = self.vm("src", back_ends or [self.back_end("src-fs")], **options)
        self.vufd.json("vms", "register", vm.monitor, "--id=guest")
        return vm

    def destination(self, back_ends: Sequence[Server] | None = None, **options: Any) -> bed.Vm:
        """A QEMU that waits for the VM."""
        return self.vm("dst", back_ends or [self.back_end("dst-fs")], incoming=True, **options)

    def evaluate(self, destination: bed.Vm | str | None, *flags: str) -> dict[str, Any]:
        """The verdict on moving vms/guest."""
        path = destination.monitor if isinstance(destination, bed.Vm) else destination
        target = [f"--to={path}"] if path else []
        return self.vufd.json("evaluate", "guest", *target, *flags, statuses=(0, REFUSED))["verdict"]

    def start_migration(self, destination: bed.Vm | str, *flags: str) -> str:
        """Starts moving vms/guest; returns the migration's name."""
        path = destination.monitor if isinstance(destination, bed.Vm) else destination
        return self.vufd.json("migrate", "guest", f"--to={path}", *flags)["name"]

    def migration(self, name: str) -> dict[str, Any]:
        """The migration as it stands."""
        return self.vufd.json("migrations", "get", name)

    def await_state(self, name: str, states: Sequence[str] = _FINAL, timeout: float = 60) -> dict[str, Any]:
        """Waits until the migration is in one of `states` (any final one by default)."""
        def probe() -> dict[str, Any] | None:
            found = self.migration(name)
            return found if found["state"] in states else None
        return bed.wait_for(f"{name} to be {states}", probe, timeout,
                            lambda: f"{self.migration(name)} {self.vufd.log()[-3000:]}")

    def migrate(self, destination: bed.Vm | str, *flags: str) -> dict[str, Any]:
        """Moves vms/guest and waits for the end, whatever it is."""
        return self.await_state(self.start_migration(destination, *flags))

    def assert_moved(self, migration: dict[str, Any], source: bed.Vm, destination: bed.Vm) -> None:
        """The guest runs at the destination, and only there, with its files intact."""
        self.assertEqual(migration["state"], "STATE_SUCCEEDED",
                         f"{migration} {self.vufd.log()[-3000:]} {self.arena.logs()}")
        self.assertEqual(destination.qmp.status(), "running")
        if migration["source_disposition"] == "SOURCE_DISPOSITION_QUIT":
            # It has acknowledged that it goes, which takes a moment.
            bed.wait_for("the source to quit", lambda: not source.alive(), 20)
        if source.alive():
            self.assertEqual(source.qmp.status(), "postmigrate")
        destination.progress(40)
        self.stateful_moves += any(device["mode"].endswith("STATEFUL") for device in migration["verdict"]["devices"])
        destination.assert_healthy(self.stateful_moves)
        self.assert_chain_intact()

    def assert_stayed(self, source: bed.Vm) -> None:
        """The guest runs at the source with its files intact."""
        self.assertEqual(source.qmp.status(), "running")
        source.progress(40)
        source.assert_healthy(self.stateful_moves)
        self.assert_chain_intact()
        self.assert_settings_restored(source)

    def assert_untouched(self, source: bed.Vm) -> None:
        """No migration was ever started on the source."""
        self.assertNotIn("status", source.qmp.cmd("query-migrate"))

    def assert_settings_restored(self, vm: bed.Vm) -> None:
        """What vufd switches on for a migration is off again, as QEMU starts with it."""
        on = {entry["capability"] for entry in vm.qmp.cmd("query-migrate-capabilities") if entry["state"]}
        self.assertFalse(on & {"return-path", "events", "pause-before-switchover"}, f"left on: {on}")

    def codes(self, verdict: dict[str, Any], kind: str = "blockers") -> set[str]:
        """The codes of a verdict's blockers or warnings."""
        return {finding["code"] for finding in verdict.get(kind, [])}

    def assert_refused(self, verdict: dict[str, Any], *codes: str) -> None:
        """Refused with all of `codes`, each with a message and a remedy."""
        self.assertEqual(verdict["decision"], "DECISION_REFUSE", verdict)
        self.assertLessEqual(set(codes), self.codes(verdict), verdict)
        for finding in verdict["blockers"]:
            self.assertTrue(finding.get("message") and finding.get("remedy"), finding)

    def assert_allowed(self, verdict: dict[str, Any], *modes: str) -> None:
        """Allowed, in these modes: one for each device, or STATEFUL for all."""
        self.assertEqual(verdict["decision"], "DECISION_ALLOW", verdict)
        found = [device["mode"].removeprefix("MIGRATION_MODE_") for device in verdict["devices"]]
        self.assertEqual(found, list(modes) if modes else ["STATEFUL"] * len(found))

    def assert_at_rest(self, keeper: bed.Keeper, hand_overs: int) -> None:
        """Nothing is armed, one front-end has the session, and as many hand-overs were done as expected."""
        session = keeper.show()
        self.assertEqual(session["phase"], "PHASE_NONE", session)
        self.assertEqual(session.get("permit", ""), "", session)
        self.assertEqual(int(session.get("hand_overs", 0)), hand_overs, session)
        drivers = [end for end in session["front_ends"] if end["role"] == "ROLE_DRIVER"]
        self.assertEqual(len(drivers), 1, session)
