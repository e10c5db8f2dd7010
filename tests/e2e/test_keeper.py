"""Stateless migrations through a keeper: stock QEMU, stock virtiofsd, a busy guest, one endpoint."""

from __future__ import annotations

import os
import tempfile
import unittest
from typing import Any

import bed
from world import World

_QEMUS = ("10.0", "11.1")
STATELESS = "--mode=stateless"
# The guest never rests.
_BUSY = {"period_us": 0}


class KeeperTest(World):
    """Every round starts a new QEMU on the endpoint where the guest's session is."""

    def _memory_file(self) -> str:
        """A file for the guest's memory that two QEMUs can map; gone with the test."""
        handle, path = tempfile.mkstemp(prefix="vb-", dir="/dev/shm")
        os.close(handle)
        self.addCleanup(os.unlink, path)
        return path

    def _rounds(self, keeper: bed.Keeper, count: int, *flags: str, verb: str = "migrate", **options: Any) -> None:
        """Moves a busy guest `count` times from one QEMU to the other version."""
        vm = self.source([keeper], qemu=_QEMUS[0], **_BUSY, **options)
        vm.wait_n(100)
        for number in range(1, count + 1):
            there = self.vm(f"q{number}", [keeper], incoming=True, qemu=_QEMUS[number % 2], **_BUSY, **options)
            name = self.vufd.json(verb, "guest", f"--to={there.monitor}", *flags)["name"]
            migration = self.await_state(name)
            self.assert_moved(migration, vm, there)
            self.assert_allowed(migration["verdict"], "STATELESS")
            self.assert_settings_restored(there)
            self.assert_at_rest(keeper, number)
            vm = there

    def test_virtiofsd_1_14(self) -> None:
        self._rounds(self.keeper(role="1.14"), 4, STATELESS, "--source-after=quit")

    def test_virtiofsd_1_13(self) -> None:
        self._rounds(self.keeper(role="1.13"), 4, STATELESS, "--source-after=quit")

    def test_virtiofsd_of_qemu_7_2(self) -> None:
        self._rounds(self.keeper(role="c72"), 4, STATELESS, "--source-after=quit")

    def test_shared_memory(self) -> None:
        self._rounds(self.keeper(), 4, STATELESS, "--source-after=quit", "--shared-ram",
                     memory_file=self._memory_file())

    def test_upgrade(self) -> None:
        self._rounds(self.keeper(role="c72"), 2, verb="upgrade")

    def test_source_that_is_kept(self) -> None:
        keeper = self.keeper()
        source = self.source([keeper], **_BUSY)
        source.wait_n(50)
        destination = self.destination([keeper], **_BUSY)
        self.assert_moved(self.migrate(destination, STATELESS), source, destination)
        self.assertEqual(source.qmp.status(), "postmigrate")
        self.assert_at_rest(keeper, 1)
        self.assertEqual(len(keeper.front_ends("ROLE_FENCED")), 1)

    def test_one_device_behind_a_keeper_and_one_without(self) -> None:
        keeper = self.keeper(role="c72")
        other = self.arena.share("other")
        source = self.source([keeper, self.back_end("src-1", share=other)])
        source.wait_n(50)
        destination = self.destination([keeper, self.back_end("dst-1", share=other)], qemu="11.1")
        migration = self.migrate(destination, "--mode=stateless,stateful")
        self.assert_moved(migration, source, destination)
        self.assert_allowed(migration["verdict"], "STATELESS", "STATEFUL")
        self.assert_chain_intact(other)
        self.assert_at_rest(keeper, 1)

    def test_two_keepers(self) -> None:
        other = self.arena.share("other")
        keepers = [self.keeper("one"), self.keeper("two", role="1.13", share=other)]
        source = self.source(keepers)
        source.wait_n(50)
        destination = self.destination(keepers)
        self.assert_moved(self.migrate(destination, STATELESS), source, destination)
        self.assert_chain_intact(other)
        for keeper in keepers:
            self.assert_at_rest(keeper, 1)


if __name__ == "__main__":
    unittest.main()
