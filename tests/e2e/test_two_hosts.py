"""Migrations from one host to another, and what becomes of them when an agent or the network is lost."""

from __future__ import annotations

import unittest
from typing import Any

import bed
from two_host_world import TwoHostWorld

# Slow enough that a test can step in while guest memory is being copied.
SLOWLY = "--max-bandwidth=4M"


class TwoHostsTest(TwoHostWorld):
    """The source runs its busy guest on host a; a QEMU waits on host b."""

    def setUp(self) -> None:
        super().setUp()
        self.from_vm = self.vm_on("a", "src")
        self.vufd.json("vms", "register", self.from_vm.monitor, "--id=guest", "--label=tier=gold")
        self.to_vm = self.vm_on("b", "dst", incoming=True)
        self.from_vm.wait_n(50)

    def move(self, *flags: str) -> dict[str, Any]:
        """Moves the guest to host b and waits for the end, whatever it is."""
        return self.migrate(self.to_vm, self.to("b"), *flags)

    def assert_arrived(self, migration: dict[str, Any]) -> None:
        """The guest runs on host b, and only there, and is known there."""
        self.assert_moved(migration, self.from_vm, self.to_vm)
        vm = self.there.json("vms", "get", "guest")
        self.assertEqual((vm["qmp_socket"], vm["labels"]), (self.to_vm.monitor, {"tier": "gold"}))
        self.assertNotEqual(self.vufd.run("vms", "get", "guest").returncode, 0, "it is still registered at host a")
        self.assertEqual([one["state"] for one in self.reservations()], ["STATE_DONE"])
        self.assert_settings_restored(self.to_vm)

    def assert_at_home(self) -> None:
        """The guest runs on host a as if nothing had been, and nothing is left on host b."""
        self.assert_stayed(self.from_vm)
        self.await_released()
        self.assertNotEqual(self.there.run("vms", "get", "guest").returncode, 0)
        self.assertEqual(self.vufd.json("vms", "get", "guest")["qmp_socket"], self.from_vm.monitor)

    def begin(self) -> str:
        """Begins a migration that copies for a long time."""
        name = self.start_migration(self.to_vm, self.to("b"), SLOWLY)
        self.await_state(name, ("STATE_TRANSFERRING",))
        bed.wait_for("the stream to flow", lambda: self.from_vm.qmp.cmd("query-migrate").get("status") == "active", 20)
        return name

    def test_a_busy_guest_moves(self) -> None:
        verdict = self.evaluate(self.to_vm, self.to("b"))
        self.assert_allowed(verdict)
        self.assertIn("STREAM_NOT_ENCRYPTED", self.codes(verdict, "warnings"))
        self.assert_untouched(self.from_vm)
        self.assert_arrived(self.move())

    def test_there_and_back(self) -> None:
        self.assert_arrived(self.move("--source-after=quit"))
        self.assertEqual(self.from_vm.wait(), 0)
        third = self.vm_on("a", "third", incoming=True)
        name = self.there.json("migrate", "guest", f"--to={third.monitor}", self.to("a"))["name"]
        done = bed.wait_for("the way back", lambda: self._ended(name), 60, lambda: self.there.log()[-3000:])
        self.assert_moved(done, self.to_vm, third)
        self.assertEqual(self.vufd.json("vms", "get", "guest")["qmp_socket"], third.monitor)

    def _ended(self, name: str) -> dict[str, Any] | None:
        found: dict[str, Any] = self.there.json("migrations", "get", name)
        return found if "end_time" in found else None

    def test_another_directory_is_refused(self) -> None:
        with self.on("b"):
            elsewhere = self.vm("elsewhere", [self.back_end("other-fs", share=self.arena.share("other"))],
                                incoming=True)
        self.assert_refused(self.evaluate(elsewhere, self.to("b")), "SHARE_DIFFERS")
        self.assert_untouched(self.from_vm)

    def test_a_host_without_a_policy_for_it_refuses(self) -> None:
        self.there.json("policies", "delete", "other-hosts")
        verdict = self.evaluate(self.to_vm, self.to("b"))
        self.assert_refused(verdict, "OTHER_HOST_REFUSES")
        self.assert_untouched(self.from_vm)

    def test_nobody_answers_there(self) -> None:
        self.there.kill()
        verdict = self.evaluate(self.to_vm, self.to("b"))
        self.assertEqual(verdict["decision"], "DECISION_REFUSE", verdict)
        self.assert_stayed(self.from_vm)

    def test_cancelled_while_memory_is_copied(self) -> None:
        name = self.begin()
        self.vufd.json("cancel", name)
        self.assertEqual(self.await_state(name)["state"], "STATE_CANCELLED")
        self.assert_at_home()
        self.assertEqual(self.to_vm.wait(20), 0, "it is of no use any more, and was quit")

    def test_the_link_is_cut_while_memory_is_copied(self) -> None:
        name = self.begin()
        self.networks.cut()
        self.assertEqual(self.await_state(name)["state"], "STATE_FAILED")
        self.assert_at_home()
        self.networks.heal()
        again = self.vm_on("b", "again", incoming=True)
        self.assertEqual(self.migrate(again, self.to("b"))["state"], "STATE_SUCCEEDED")

    def test_the_sources_agent_is_killed(self) -> None:
        name = self.begin()
        self.vufd.kill()
        self.vufd = self.start_agent("a")
        self.assertEqual(self.await_state(name)["state"], "STATE_FAILED")
        self.assert_at_home()

    def test_the_sources_agent_is_lost_for_good(self) -> None:
        self.begin()
        self.vufd.kill()
        self.await_released()
        self.assertEqual(self.to_vm.wait(20), 0)
        # Its stream has lost its reader, so QEMU itself goes on with the guest.
        bed.wait_for("the source to go on", lambda: self.from_vm.qmp.status() == "running", 20)
        self.from_vm.progress(40)

    def test_the_destinations_agent_is_killed(self) -> None:
        name = self.begin()
        self.there.kill()
        self.there = self.start_agent("b")
        self.assertEqual(self.await_state(name)["state"], "STATE_FAILED")
        self.assert_at_home()

    def test_the_destination_qemu_is_killed(self) -> None:
        name = self.begin()
        self.to_vm.kill()
        self.assertEqual(self.await_state(name)["state"], "STATE_FAILED")
        self.assert_at_home()


if __name__ == "__main__":
    unittest.main()
