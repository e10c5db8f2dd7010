"""One QEMU after the other: the guest waits in a file and at its keeper while there is none."""

from __future__ import annotations

import os
import pathlib
import tempfile
import unittest
from typing import Any

import bed
from world import World

_AWAITING = "STATE_AWAITING_DESTINATION"
_FAILED = "STATE_FAILED"
# The guest never rests.
_BUSY = {"period_us": 0}


class SequentialTest(World):
    """The destination is started when the source has gone, at the path that was named before."""

    def setUp(self) -> None:
        super().setUp()
        self.file = self.arena.path("guest-state")

    def begin(self, name: str = "dst", *flags: str) -> str:
        """Asks for the upgrade; returns the migration's name."""
        return str(self.vufd.json("upgrade", "guest", f"--to={self.monitor(name)}", "--sequential",
                                  f"--state-file={self.file}", *flags)["name"])

    def monitor(self, name: str) -> str:
        """Where the QEMU of this name will have its monitor."""
        return self.arena.path(f"{name}.vufd.qmp")

    def saved(self, source: bed.Vm, name: str = "dst", *flags: str) -> str:
        """Brings the guest into its file; returns the migration's name."""
        migration = self.begin(name, *flags)
        self.await_state(migration, (_AWAITING,))
        bed.wait_for("the source to quit", lambda: not source.alive(), 20)
        return migration

    def await_message(self, migration: str, words: str) -> dict[str, Any]:
        """Waits until the migration's message has these words."""
        def probe() -> dict[str, Any] | None:
            found = self.migration(migration)
            return found if words in found.get("message", "") else None
        return bed.wait_for(f"{words!r}", probe, 30, lambda: str(self.migration(migration)))

    def busy(self, keeper: bed.Keeper, **options: Any) -> bed.Vm:
        """The source, with a guest that has worked for a while."""
        source = self.source([keeper], **_BUSY, **options)
        source.wait_n(60)
        return source

    def next(self, keeper: bed.Keeper, name: str = "dst", **options: Any) -> bed.Vm:
        """A destination that waits for the guest."""
        return self.vm(name, [keeper], incoming=True, **{**_BUSY, **options})

    def assert_brought_up(self, migration: str, source: bed.Vm, there: bed.Vm, keeper: bed.Keeper) -> None:
        """The guest runs at the destination, and nothing is left of the way there."""
        done = self.await_state(migration)
        self.assert_moved(done, source, there)
        self.assertEqual(done.get("message", ""), "")
        self.assert_settings_restored(there)
        self.assert_at_rest(keeper, 1)
        self.assertFalse(os.path.exists(self.file))

    def _moves(self, role: str, **options: Any) -> None:
        keeper = self.keeper(role=role)
        flags = ["--shared-ram"] if "memory_file" in options else []
        source = self.busy(keeper, qemu="10.0", **options)
        migration = self.saved(source, "dst", *flags)
        self.assertEqual(keeper.show()["phase"], "PHASE_SAVED")
        self.assertEqual(pathlib.Path(self.file).stat().st_mode & 0o777, 0o600)
        there = self.next(keeper, qemu="11.1", **options)
        self.assert_brought_up(migration, source, there, keeper)
        self.assertEqual(self.vufd.json("vms", "get", "guest")["qmp_socket"], there.monitor)

    def test_virtiofsd_1_14(self) -> None:
        self._moves("1.14")

    def test_virtiofsd_of_qemu_7_2(self) -> None:
        self._moves("c72")

    def test_shared_memory(self) -> None:
        handle, path = tempfile.mkstemp(prefix="vb-", dir="/dev/shm")
        os.close(handle)
        self.addCleanup(os.unlink, path)
        self._moves("1.13", memory_file=path)

    def test_back_to_the_older_qemu(self) -> None:
        keeper = self.keeper()
        source = self.busy(keeper, qemu="11.1")
        migration = self.saved(source)
        self.assert_brought_up(migration, source, self.next(keeper, qemu="10.0"), keeper)

    def test_a_destination_that_is_refused_is_left_alone(self) -> None:
        keeper = self.keeper()
        source = self.busy(keeper)
        migration = self.saved(source)
        wrong = self.vm("wrong", [keeper], incoming=True, tags=["other"], **_BUSY)
        os.symlink(wrong.monitor, self.monitor("dst"))
        waiting = self.await_message(migration, "TAG_DIFFERS")
        self.assertEqual(waiting["state"], _AWAITING)
        self.assert_refused(waiting["verdict"], "TAG_DIFFERS")
        self.assertEqual(wrong.qmp.status(), "inmigrate")
        wrong.kill()
        os.unlink(self.monitor("dst"))
        self.assert_brought_up(migration, source, self.next(keeper), keeper)

    def test_a_destination_that_cannot_load_is_ended_and_the_next_one_is_taken(self) -> None:
        keeper = self.keeper()
        source = self.busy(keeper, extra=["-device", "virtio-rng-pci"])
        migration = self.saved(source)
        bad = self.next(keeper)
        bed.wait_for("the bad destination to be told to quit", lambda: not bad.alive(), 30)
        self.assertEqual(self.migration(migration)["state"], _AWAITING)
        there = self.next(keeper, extra=["-device", "virtio-rng-pci"])
        self.assert_brought_up(migration, source, there, keeper)

    def test_vufd_killed_while_the_guest_is_in_the_file(self) -> None:
        keeper = self.keeper()
        source = self.busy(keeper)
        migration = self.saved(source)
        self.vufd.kill()
        there = self.next(keeper)
        self.vufd = self.start_vufd()
        self.assert_brought_up(migration, source, there, keeper)

    def test_vufd_ended_while_the_guest_is_in_the_file(self) -> None:
        keeper = self.keeper()
        source = self.busy(keeper)
        migration = self.saved(source)
        self.vufd.terminate()
        self.vufd = self.start_vufd()
        self.assertEqual(self.migration(migration)["state"], _AWAITING)
        self.assert_brought_up(migration, source, self.next(keeper), keeper)

    def test_time_out_and_once_more(self) -> None:
        keeper = self.keeper()
        source = self.busy(keeper)
        failed = self.await_state(self.saved(source, "dst", "--timeout=4s"))
        self.assertEqual(failed["state"], _FAILED)
        self.assertIn(self.file, failed["message"])
        refused = self.vufd.run("migrate", "guest", f"--to={self.monitor('dst')}", "--mode=stateless")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(self.file, refused.stderr)
        migration = self.begin()
        self.await_state(migration, (_AWAITING,))
        self.assert_brought_up(migration, source, self.next(keeper), keeper)

    def test_a_file_that_changed_is_not_loaded(self) -> None:
        keeper = self.keeper()
        source = self.busy(keeper)
        migration = self.saved(source)
        os.truncate(self.file, 4096)
        there = self.next(keeper)
        self.assertEqual(self.await_message(migration, "4096 bytes")["state"], _AWAITING)
        self.assertEqual(there.qmp.status(), "inmigrate")

    def test_there_is_no_way_back_from_the_file(self) -> None:
        keeper = self.keeper()
        source = self.busy(keeper)
        migration = self.saved(source)
        refused = self.vufd.run("cancel", migration)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(self.file, refused.stderr)
        self.assert_brought_up(migration, source, self.next(keeper), keeper)

    def _slow(self, keeper: bed.Keeper) -> tuple[bed.Vm, str]:
        """A source whose save takes its time, and the migration that does it."""
        source = self.busy(keeper)
        source.qmp.cmd("migrate-set-parameters", {"max-bandwidth": 1 << 20})
        migration = self.begin()
        self.await_state(migration, ("STATE_TRANSFERRING",))
        bed.wait_for("QEMU to write", lambda: os.path.exists(self.file) and os.path.getsize(self.file) > 0, 20)
        return source, migration

    def _assert_source_goes_on(self, source: bed.Vm, keeper: bed.Keeper) -> None:
        self.assertEqual(source.qmp.status(), "running")
        source.progress(40)
        source.assert_healthy()
        self.assert_chain_intact()
        self.assert_at_rest(keeper, 0)
        self.assertFalse(os.path.exists(self.file))

    def test_cancel_before_the_source_has_gone(self) -> None:
        keeper = self.keeper()
        source, migration = self._slow(keeper)
        self.vufd.json("cancel", migration)
        self.assertEqual(self.await_state(migration)["state"], "STATE_CANCELLED")
        self.assert_settings_restored(source)
        self._assert_source_goes_on(source, keeper)

    def test_vufd_killed_before_the_source_has_gone(self) -> None:
        keeper = self.keeper()
        source, migration = self._slow(keeper)
        self.vufd.kill()
        self.vufd = self.start_vufd()
        self.assertEqual(self.await_state(migration)["state"], _FAILED)
        self._assert_source_goes_on(source, keeper)

    def test_a_file_that_exists_is_refused(self) -> None:
        keeper = self.keeper()
        source = self.busy(keeper)
        pathlib.Path(self.file).write_text("precious")
        done = self.vufd.run("upgrade", "guest", f"--to={self.monitor('dst')}", "--sequential",
                             f"--state-file={self.file}")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("sequential.state_file", done.stderr)
        self.assertEqual(pathlib.Path(self.file).read_text(), "precious")
        self.assert_untouched(source)

    def test_without_a_keeper_it_is_refused(self) -> None:
        source = self.source()
        source.wait_n(20)
        done = self.await_state(self.begin())
        self.assertEqual(done["state"], "STATE_REFUSED")
        self.assert_refused(done["verdict"], "SEQUENTIAL_NEEDS_KEEPER")
        self.assert_untouched(source)
        self.assertFalse(os.path.exists(self.file))


if __name__ == "__main__":
    unittest.main()
