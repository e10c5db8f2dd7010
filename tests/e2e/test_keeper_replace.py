"""Another back-end under a running guest: the keeper moves the session, no QEMU is involved."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile

import bed
from bed.keeper import KeeperctlError
from world import BareWorld


class KeeperReplaceTest(BareWorld):
    """A guest that works on its files, while the back-end behind the keeper changes."""

    def setUp(self) -> None:
        # Not on the disk: a directory that is opened again may list as empty once on ext4, with any back-end.
        share = tempfile.mkdtemp(prefix="vb-", dir="/dev/shm")
        # Before the arena, so that it is removed after the guest has ended, which writes until then.
        self.addCleanup(shutil.rmtree, share)
        super().setUp()
        self.share = share
        os.chmod(share, 0o777)
        self.door = self.keeper("door", "1.13")
        self.guest = self.vm("guest", [self.door], period_us=1000)
        self.guest.wait_n(50)

    def replace(self, back_end: bed.BackEnd) -> dict[str, object]:
        """Moves the session; returns it as it is then."""
        return self.door.ctl("replace", "--back-end-socket", back_end.socket)

    def assert_going_on(self) -> None:
        """The guest runs and its files are intact."""
        self.guest.progress(60)
        self.guest.assert_healthy()
        self.assert_chain_intact()

    def test_newer_virtiofsd_and_back(self) -> None:
        session = self.door.show()["session"]
        for turn, role in enumerate(["1.14", "1.13", "1.14"]):
            after = self.replace(self.back_end(f"next{turn}", role))
            self.assertEqual(after["session"], session, "it is the same session")
            print(f"      replaced by {role}: the guest's requests waited {after['last_replace_us']} us")
            self.assert_going_on()

    def test_what_cannot_take_the_session(self) -> None:
        without_state = self.back_end("old", "c72", ())
        with self.assertRaisesRegex(KeeperctlError, "lacks DEVICE_STATE"):
            self.replace(without_state)
        self.assert_going_on()
        silent = self.back_end("silent")
        for pid in silent.pids():
            os.kill(pid, signal.SIGSTOP)
        with self.assertRaisesRegex(KeeperctlError, "does not answer"):
            self.replace(silent)
        self.assert_going_on()
        # Without the capability to open by handle it cannot load what the present one saves.
        unable = self.back_end("unable", "1.13", ("--migration-mode=file-handles",))
        with self.assertRaisesRegex(KeeperctlError, "could not load; the present back-end goes on"):
            self.replace(unable)
        self.assert_going_on()
