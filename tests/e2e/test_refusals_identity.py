"""Hazards of who is who on the host: mounts, replaced back-ends and QEMUs, versions."""

from __future__ import annotations

import os
import subprocess
import unittest

import bed
from refusal_world import RefusalWorld

_SLOWLY = "--max-bandwidth=4M"


class IdentityRefusalTest(RefusalWorld):
    """One thing spoiled per test; the neighbour with nothing spoiled is in test_migrate."""

    def read_only_view(self) -> str:
        """The share once more, mounted read-only."""
        view = self.arena.share("read-only")
        for options in (("--bind", self.share, view), ("-o", "remount,bind,ro", view)):
            subprocess.run(["mount", *options], check=True)
        # Its back-end is still in it.
        self.arena.on_close(lambda: subprocess.run(["umount", "-l", view], check=True))
        return view

    def test_destination_directory_mounted_read_only(self) -> None:
        source = self.booted()
        read_only = self.back_end("dst-fs", share=self.read_only_view())
        self.refuse(source, self.destination([read_only]), "SHARE_MOUNT_DIFFERS")

    def test_another_back_end_behind_the_same_path(self) -> None:
        back_end = self.back_end("src-fs")
        source = self.booted(back_end)
        destination = self.destination()
        self.vufd.json("endpoints", "create", "fs", back_end.socket)
        os.rename(self.back_end("usurper").socket, back_end.socket)
        self.refuse(source, destination, "SOCKET_REBOUND")
        self.assertEqual(str(self.vufd.json("endpoints", "get", "fs")["generation"]), "2")
        self.refuse(source, destination, "SOCKET_REBOUND", "BACK_END_RESTARTED", flags=("--mode=stateless",))

    def test_another_back_end_behind_the_destination_s_path(self) -> None:
        source = self.booted()
        back_end = self.back_end("dst-fs")
        destination = self.destination([back_end])
        os.rename(self.back_end("usurper").socket, back_end.socket)
        self.refuse(source, destination, "SOCKET_REBOUND")

    def test_a_second_vm_at_the_source_s_back_end(self) -> None:
        back_end = self.back_end("src-fs")
        source = self.booted(back_end)
        destination = self.destination()
        # It waits for ever in the back-end's queue, with its device half made.
        second = self.vm("second", [back_end], connect=False)
        self.arena.wait_for_file(second.monitor, second)
        bed.wait_for("the second VM to be in the queue",
                     lambda: "BACK_END_NOT_EXCLUSIVE" in self.codes(self.evaluate(destination)), 20)
        self.refuse(source, destination, "BACK_END_NOT_EXCLUSIVE")

    def test_machine_type_differs(self) -> None:
        source = self.booted()
        self.refuse(source, self.destination(machine="pc-q35-9.2"), "MACHINE_TYPE_DIFFERS")

    def test_an_older_destination_is_a_warning(self) -> None:
        source = self.booted(qemu="11.1")
        verdict = self.evaluate(self.destination(qemu="10.0"))
        self.assert_allowed(verdict)
        self.assertIn("DESTINATION_QEMU_OLDER", self.codes(verdict, "warnings"))
        self.assert_untouched(source)

    def test_a_paused_source_is_safe(self) -> None:
        source = self.booted()
        source.qmp.cmd("stop")
        self.assert_allowed(self.evaluate(self.destination()))
        self.assert_untouched(source)

    def test_a_destination_that_was_restarted_since_the_verdict(self) -> None:
        source = self.booted()
        first = self.destination()
        fingerprint = self.evaluate(first)["fingerprint"]
        first.kill()
        os.unlink(first.monitor)
        second = self.vm("dst", [self.back_end("second-fs")], incoming=True, connect=False)
        self.arena.wait_for_file(second.monitor, second)
        self.assertNotEqual(self.evaluate(second)["fingerprint"], fingerprint)
        migration = self.migrate(second, f"--require-fingerprint={fingerprint}")
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assertIn("evaluate again", migration["message"])
        self.assert_untouched(source)
        source.progress(20)
        source.assert_healthy()

    def test_a_destination_is_good_for_one_attempt(self) -> None:
        source = self.booted()
        destination = self.destination()
        name = self.start_migration(destination, _SLOWLY)
        self.await_state(name, ("STATE_TRANSFERRING",))
        bed.wait_for("the stream", lambda: "status" in destination.qmp.cmd("query-migrate"), 10)
        self.vufd.json("cancel", name)
        self.await_state(name)
        self.assert_refused(self.evaluate(destination), "DESTINATION_USED_UP")
        self.assert_stayed(source)


if __name__ == "__main__":
    unittest.main()
