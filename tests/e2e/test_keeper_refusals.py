"""What a keeper refuses, with bare QEMUs around it: the guest must run on at its source, unharmed."""

from __future__ import annotations

import unittest

import bed
from bed import state_file
from bed.migrate import hand_over_stream
from world import BareWorld

# One place in every field of the marker (docs/marker.md), the last bytes of the longer ones included.
_MARKER_FIELDS = {"magic": 0, "version": 8, "mode": 12, "instance": 16, "session": 47, "permit": 48, "nonce": 103,
                  "reserved": 104, "checksum": 127}


class KeeperRefusalTest(BareWorld):
    """A guest that works on its files behind a keeper."""

    def setUp(self) -> None:
        super().setUp()
        self.door = self.keeper()
        self.from_vm = self.vm("src", [self.door], period_us=1000)
        self.from_vm.wait_n(50)
        self.file = self.arena.path("state")

    def destination(self, server: bed.Keeper | bed.BackEnd, name: str = "dst") -> bed.Vm:
        """A QEMU that waits for the guest."""
        return self.vm(name, [server], incoming=True, period_us=1000)

    def assert_refused(self, destination: bed.Vm, source: bed.Vm | None = None) -> None:
        """A migration fails and the source's guest goes on."""
        source = source or self.from_vm
        moved = bed.migrate(source, destination, hand_over_stream(source, destination))
        self.assertEqual(moved.status, "failed", f"{moved} {destination.log()}")
        destination.qmp.close()
        destination.kill()
        self.assert_unharmed(source)

    def assert_unharmed(self, source: bed.Vm | None = None) -> None:
        """The guest runs at the source with its files intact."""
        source = source or self.from_vm
        bed.wait_for("the source to run", lambda: source.qmp.status() == "running", 10)
        source.progress(40)
        source.assert_healthy()
        self.assert_chain_intact()

    def assert_last_refusal(self, part: str, keeper: bed.Keeper | None = None) -> None:
        """The keeper says why it refused."""
        keeper = keeper or self.door
        self.assertIn(part, keeper.show()["last_refusal"], f"{keeper.log()} {self.door.log()}")

    def save_armed(self, permit: str) -> None:
        """Arms a permit for any destination and writes the guest's state to the file."""
        self.door.arm(permit)
        self.assertEqual(state_file.save(self.from_vm, self.file), "completed")
        self.assertEqual(self.door.show()["phase"], "PHASE_SAVED")

    def assert_load_refused(self, path: str, why: str, name: str) -> None:
        """A QEMU that loads the file gives up, and the keeper says why."""
        self.assertFalse(state_file.load(self.destination(self.door, name), path), name)
        self.assert_last_refusal(why)

    def test_no_permit_and_an_expired_one(self) -> None:
        self.assert_refused(self.destination(self.door, "unarmed"))
        self.assert_last_refusal("no permit is armed")
        self.door.arm("short", ttl_ms=1)
        bed.wait_for("the permit to expire", lambda: not int(self.door.show().get("ttl_ms", 0)), 5)
        self.assert_refused(self.destination(self.door, "late"))
        self.assert_last_refusal("expired")
        self.door.ctl("disarm", "--permit", "short")
        self.assertEqual(self.door.show()["phase"], "PHASE_NONE")

    def test_other_endpoints(self) -> None:
        elsewhere = self.keeper("elsewhere")
        self.door.arm("one")
        self.assert_refused(self.destination(elsewhere, "other-host"))
        self.assert_last_refusal("instance", elsewhere)
        self.door.ctl("disarm", "--permit", "one")
        self.door.arm("two")
        self.assert_refused(self.destination(self.back_end("plain-fs"), "plain"))
        self.door.ctl("disarm", "--permit", "two")
        self.assertEqual(int(self.door.show().get("hand_overs", 0)), 0)

    def test_state_of_a_plain_virtiofsd(self) -> None:
        self.from_vm.qmp.close()
        self.from_vm.kill()
        # What the guest before left behind would be in the way.
        self.share = self.arena.share("another")
        source = self.vm("plain", [self.back_end("plain-fs")], period_us=1000)
        source.wait_n(50)
        fresh = self.keeper("fresh")
        self.assert_refused(self.destination(fresh), source)
        self.assert_last_refusal("marker", fresh)

    def test_flipped_bits_and_a_replayed_marker(self) -> None:
        self.save_armed("first")
        for field, offset in _MARKER_FIELDS.items():
            spoiled = state_file.with_flipped_bit(self.file, self.arena.path("spoiled"), offset, 0)
            self.assertFalse(state_file.load(self.destination(self.door, field), spoiled), field)
        self.assertEqual(self.door.show()["phase"], "PHASE_SAVED")
        self.from_vm.qmp.cmd("cont")
        self.assert_unharmed()
        self.assert_load_refused(self.file, "no permit is in force", "taken-back")
        self.door.arm("second")
        self.assert_load_refused(self.file, "no marker was issued", "before-the-save")
        moved_to = self.destination(self.door, "moved")
        moved = bed.migrate(self.from_vm, moved_to, hand_over_stream(self.from_vm, moved_to))
        self.assertEqual(moved.status, "completed", moved)
        moved_to.qmp.cmd("cont")
        self.assert_unharmed(moved_to)
        self.assert_load_refused(self.file, "no permit is in force", "replayed")
        self.assert_unharmed(moved_to)

    def test_two_destinations_and_an_old_source_that_wants_to_go_on(self) -> None:
        self.save_armed("race")
        records = bed.check_chain(self.share).records
        rivals = [self.destination(self.door, name) for name in ("left", "right")]
        for rival in rivals:
            state_file.begin_load(rival, self.file)
        winners = [rival for rival in rivals if state_file.loaded(rival)]
        self.assertEqual(len(winners), 1)
        winners[0].qmp.cmd("cont")
        self.assert_unharmed(winners[0])
        at_rest = self.from_vm.wait_beat()
        self.from_vm.qmp.raw("cont")
        bed.wait_for("the keeper to refuse", lambda: "was refused" in self.door.show()["last_refusal"], 10)
        self._await_beats(self.from_vm, at_rest.number + 5)
        self.assert_unharmed(winners[0])
        left = self.from_vm.beat()
        self.assertLessEqual(left.least_n() if left else 0, records)
        session = self.door.show()
        self.assertEqual((session["phase"], int(session["hand_overs"])), ("PHASE_NONE", 1))

    @staticmethod
    def _await_beats(vm: bed.Vm, number: int) -> None:
        """Until a guest that was resumed has had time to do its work, or its QEMU has ended."""
        bed.wait_for("heartbeats of the old source",
                     lambda: not vm.alive() or ((beat := vm.beat()) is not None and beat.number >= number), 10)

    def test_source_that_goes_on_before_the_destination_starts(self) -> None:
        self.save_armed("back")
        destination = self.destination(self.door)
        self.assertTrue(state_file.load(destination, self.file))
        self.assertEqual(self.door.show()["phase"], "PHASE_LOADED")
        self.from_vm.qmp.cmd("cont")
        self.assert_unharmed()
        destination.qmp.raw("cont")
        bed.wait_for("the keeper to refuse", lambda: "was refused" in self.door.show()["last_refusal"], 10)
        self.assert_unharmed()
        self.assertEqual(self.door.show()["phase"], "PHASE_NONE")

    def test_another_session_on_the_same_path(self) -> None:
        self.save_armed("old")
        self.from_vm.qmp.close()
        self.from_vm.kill()
        self.door.ctl("disarm", "--permit", "old")
        self.door.wait()
        again = bed.Keeper(self.arena, "again", self.back_end("again-fs"), socket_path=self.door.socket)
        self.assertFalse(state_file.load(self.destination(again), self.file))
        self.assert_last_refusal("instance", again)


if __name__ == "__main__":
    unittest.main()
