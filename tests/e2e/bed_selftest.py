"""Proves that the test bed itself works: `python3 -B tests/e2e/bed_selftest.py`, as root."""

from __future__ import annotations

import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import bed  # noqa: E402
from bed.migrate import hand_over_stream  # noqa: E402


class BedSelfTest(unittest.TestCase):
    """One guest, one share, moved once between two QEMUs with a fresh virtiofsd each."""

    def setUp(self) -> None:
        self.arena = bed.Arena()
        self.addCleanup(self.arena.close)
        self.share = self.arena.share("s")

    def _vm(self, name: str, qemu: str, *, role: str = "1.14", incoming: bool = False, device: str | None = None
            ) -> bed.Vm:
        backend = bed.BackEnd(self.arena, f"{name}.fs", self.share, role)
        fs = bed.Fs("share0", backend) if device is None else bed.Fs("share0", backend, device)
        return bed.Vm(self.arena, name, [fs], qemu=qemu, incoming=incoming)

    def _booted(self, qemu: str, role: str = "1.14") -> bed.Vm:
        started = time.monotonic()
        vm = self._vm("a", qemu, role=role)
        vm.wait_n(50)
        print(f"  boot and 50 records, QEMU {qemu}, virtiofsd {role}: {time.monotonic() - started:.2f} s")
        return vm

    def _move(self, source_qemu: str, destination_qemu: str, *, by_fd: bool = True) -> None:
        source = self._booted(source_qemu)
        destination = self._vm("b", destination_qemu, incoming=True)
        uri = hand_over_stream(source, destination) if by_fd else f"unix:{self.arena.path('stream')}"
        result = bed.migrate(source, destination, uri)
        self.assertEqual(result.status, "completed", f"{result.error} {destination.log()}")
        self.assertEqual(source.qmp.status(), "postmigrate")
        self.assertEqual(destination.qmp.status(), "paused")
        n_before = source.wait_beat().least_n()
        destination.qmp.cmd("cont")
        destination.wait_n(n_before + 300)
        beat = destination.assert_healthy(empty_listings=1).shares["share0"]
        self.assertGreater(beat.full, 0, "the guest never verified the whole file")
        report = bed.check_chain(self.share)
        self.assertEqual(report.bad, "")
        self.assertGreaterEqual(report.records, n_before + 300)
        print(f"  {source_qemu} -> {destination_qemu} by {uri.split(':')[0]}: {result.wall_seconds:.2f} s, "
              f"downtime {result.info.get('downtime')} ms")

    def test_every_backend_and_qemu_serves_a_guest(self) -> None:
        for qemu, role in (("7.2", "c72"), ("10.0", "1.13"), ("11.1", "c72")):
            with self.subTest(qemu=qemu, role=role), bed.Arena() as self.arena:
                self.share = self.arena.share("s")
                vm = self._booted(qemu, role)
                vm.progress(50)
                vm.assert_healthy()
                self.assertEqual(bed.check_chain(self.share).bad, "")

    def test_move_by_socket_path(self) -> None:
        self._move("10.0", "10.0", by_fd=False)

    def test_move_by_socket_pair(self) -> None:
        self._move("10.0", "10.0")

    def test_move_to_newer_qemu(self) -> None:
        self._move("10.0", "11.1")

    def test_move_to_older_qemu(self) -> None:
        self._move("11.1", "10.0")

    def test_failed_move_leaves_the_guest_working(self) -> None:
        source = self._booted("10.0")
        destination = self._vm("b", "11.1", incoming=True, device=",queue-size=64")
        result = bed.migrate(source, destination, hand_over_stream(source, destination))
        self.assertEqual(result.status, "failed")
        self.assertEqual(destination.wait(), 1)
        self.assertEqual(source.qmp.status(), "running")
        source.progress(50)
        source.assert_healthy()

    def test_damaged_file_is_noticed(self) -> None:
        vm = self._booted("10.0")
        vm.kill()
        log = pathlib.Path(self.share, "work", "counter.log")
        data = bytearray(log.read_bytes())
        data[64 * 10 + 20] ^= 1
        log.write_bytes(data)
        self.assertEqual(bed.check_chain(self.share).records, 10)

    def test_guest_reports_data_changed_behind_its_back(self) -> None:
        vm = self._booted("10.0")
        with open(pathlib.Path(self.share, "work", "counter.log"), "r+b") as log:
            log.seek(64 * 10 + 20)
            log.write(b"x")
        bed.wait_for("the guest to notice", lambda: vm.wait_beat().shares["share0"].bad, 30)
        with self.assertRaises(AssertionError):
            vm.assert_healthy()

    def test_processes_end_with_the_arena(self) -> None:
        vm = self._booted("10.0")
        self.arena.close()
        self.assertFalse(vm.alive())
        self.assertFalse(self.arena.dir.exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
