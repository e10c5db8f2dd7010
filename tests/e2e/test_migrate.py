"""Safe migrations of a real guest that keeps working on its files."""

from __future__ import annotations

import unittest

from world import World

FIND_PATHS = ("--migration-mode=find-paths",)


class MigrateTest(World):
    """The main job."""

    def _move(self, role: str, options: tuple[str, ...] | None = None, qemu: tuple[str, str] = ("10.0", "10.0"),
              **vm_options: object) -> None:
        extra = {} if options is None else {"options": options}
        source = self.source([self.back_end("src-fs", role, **extra)], qemu=qemu[0], **vm_options)
        source.wait_n(50)
        destination = self.destination([self.back_end("dst-fs", role, **extra)], qemu=qemu[1], **vm_options)
        self.assert_allowed(self.evaluate(destination))
        self.assert_untouched(source)
        migration = self.migrate(destination)
        self.assert_moved(migration, source, destination)
        self.assertRegex(migration["progress"]["downtime"], r"^[0-9.]+s$")
        self.assertRegex(migration["progress"]["total_time"], r"^[0-9.]+s$")
        self.assertGreater(int(migration["progress"]["ram_transferred_bytes"]), 0)
        self.assert_settings_restored(source)
        self.assert_settings_restored(destination)

    def test_file_handles_virtiofsd_1_14(self) -> None:
        self._move("1.14")

    def test_file_handles_virtiofsd_1_13(self) -> None:
        self._move("1.13")

    def test_find_paths(self) -> None:
        self._move("1.14", FIND_PATHS, nounlink=True)

    def test_to_an_older_qemu(self) -> None:
        self._move("1.14", qemu=("11.1", "10.0"))

    def test_to_a_newer_qemu(self) -> None:
        self._move("1.14", qemu=("10.0", "11.1"))

    def test_there_and_back(self) -> None:
        first = self.source()
        first.wait_n(50)
        second = self.destination()
        self.assert_moved(self.migrate(second, "--source-after=quit"), first, second)
        self.assertEqual(first.wait(), 0)
        self.assertEqual(self.vufd.json("vms", "get", "guest")["qmp_socket"], second.monitor)
        third = self.vm("third", [self.back_end("third-fs")], incoming=True)
        self.assert_moved(self.migrate(third), second, third)

    def test_two_devices(self) -> None:
        other = self.arena.share("other")
        source = self.source([self.back_end("src-0"), self.back_end("src-1", share=other)])
        source.wait_n(50)
        destination = self.destination([self.back_end("dst-0"), self.back_end("dst-1", share=other)])
        self.assert_moved(self.migrate(destination), source, destination)
        self.assert_chain_intact(other)

    def test_a_paused_guest_stays_paused(self) -> None:
        source = self.source()
        source.wait_n(50)
        source.qmp.cmd("stop")
        destination = self.destination()
        migration = self.migrate(destination)
        self.assertEqual(migration["state"], "STATE_SUCCEEDED", migration)
        self.assertEqual(destination.qmp.status(), "paused")
        destination.qmp.cmd("cont")
        destination.progress(40)
        destination.assert_healthy(empty_listings=1)


if __name__ == "__main__":
    unittest.main()
