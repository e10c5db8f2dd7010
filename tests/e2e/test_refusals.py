"""Every hazard that the bed can stage is refused before the guest is touched, with its own code."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import unittest

import bed
from refusal_world import RefusalWorld

FIND_PATHS = ("--migration-mode=find-paths",)
FILE_HANDLES = bed.backend.FILE_HANDLES


class RefusalTest(RefusalWorld):
    """One thing spoiled per test; the neighbour with nothing spoiled is in test_migrate."""

    # The hypervisor

    def test_qemu_too_old(self) -> None:
        source = self.booted(qemu="7.2")
        self.assert_refused(self.evaluate(None), "QEMU_TOO_OLD")
        # 7.2 lists the device itself among what blocks a migration.
        self.assertEqual(len(source.qmp.cmd("query-migrate")["blocked-reasons"]), 1)
        source.progress(20)

    def test_ram_not_shared(self) -> None:
        source = self.source(memory_share=False, paused=True)
        self.refuse(source, self.destination(memory_share=False), "MEMORY_NOT_SHARED", healthy=False)

    def test_capabilities_left_on(self) -> None:
        source = self.booted()
        destination = self.destination()
        for capability, code in (("postcopy-ram", "POSTCOPY_ENABLED"),
                                 ("background-snapshot", "BACKGROUND_SNAPSHOT_ENABLED"),
                                 ("x-ignore-shared", "IGNORE_SHARED_ENABLED")):
            with self.subTest(capability):
                self._switch(source, capability, True)
                self.refuse(source, destination, code)
                self._switch(source, capability, False)
        self.assert_allowed(self.evaluate(destination))

    @staticmethod
    def _switch(vm: bed.Vm, capability: str, state: bool) -> None:
        vm.qmp.cmd("migrate-set-capabilities", {"capabilities": [{"capability": capability, "state": state}]})

    def test_mode_left_at_cpr(self) -> None:
        source = self.booted()
        source.qmp.cmd("migrate-set-parameters", {"mode": "cpr-reboot"})
        self.refuse(source, self.destination(), "MIGRATION_MODE_NOT_NORMAL")

    def test_another_unmigratable_device(self) -> None:
        extra = ("-device", "nvme,serial=none")
        source = self.booted(extra=extra)
        self.refuse(source, self.destination(extra=extra), "UNMIGRATABLE_DEVICE")

    def test_stateless_with_stock_qemu(self) -> None:
        source = self.booted()
        self.refuse(source, self.destination(), "STATELESS_NOT_SUPPORTED_BY_QEMU", "BACK_END_NOT_STATELESS",
                    flags=("--mode=stateless",))

    def test_ring_larger_than_the_destination_takes(self) -> None:
        source = self.booted(device_options="")
        destination = self.destination(qemu="11.1", device_options="")
        self.refuse(source, destination, "RING_TOO_LARGE")

    # The back-end

    def test_back_end_without_device_state(self) -> None:
        source = self.booted(self.back_end("src-fs", "c72"))
        self.refuse(source, self.destination(), "BACK_END_LACKS_DEVICE_STATE", "BACK_END_KIND_CANNOT_MIGRATE")

    def test_destination_without_device_state(self) -> None:
        source = self.booted()
        self.refuse(source, self.destination([self.back_end("dst-fs", "c72")]), "BACK_END_LACKS_DEVICE_STATE",
                    "BACK_END_KINDS_DIFFER")

    def test_one_of_two_devices_cannot(self) -> None:
        other = self.arena.share("other")
        source = self.booted(self.back_end("src-0"), self.back_end("src-1", "c72", share=other))
        destination = self.destination([self.back_end("dst-0"), self.back_end("dst-1", share=other)])
        verdict = self.evaluate(destination)
        self.assert_refused(verdict, "BACK_END_LACKS_DEVICE_STATE")
        self.assertEqual({f["subject"] for f in verdict["blockers"] if f["code"] == "BACK_END_LACKS_DEVICE_STATE"},
                         {"fs1"})
        self.refuse(source, destination, "BACK_END_LACKS_DEVICE_STATE")

    def test_back_end_dead(self) -> None:
        back_end = self.back_end("src-fs")
        source = self.booted(back_end)
        destination = self.destination()
        back_end.kill()
        bed.wait_for("QEMU to notice", lambda: "disconnected" in str(source.qmp.cmd("query-chardev")), 10)
        self.refuse(source, destination, "BACK_END_DISCONNECTED", healthy=False)
        self.assertEqual(source.qmp.status(), "running")

    def test_back_end_stopped(self) -> None:
        back_end = self.back_end("src-fs")
        source = self.booted(back_end)
        destination = self.destination()
        pids = back_end.pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            self.refuse(source, destination, "BACK_END_STOPPED", healthy=False)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        source.progress(20)
        source.assert_healthy()
        self.assert_allowed(self.evaluate(destination))

    def test_destination_back_end_dead(self) -> None:
        source = self.booted()
        back_end = self.back_end("dst-fs")
        destination = self.destination([back_end])
        back_end.kill()
        bed.wait_for("QEMU to notice", lambda: "disconnected" in str(destination.qmp.cmd("query-chardev")), 10)
        self.refuse(source, destination, "BACK_END_DISCONNECTED")

    def test_thread_pool(self) -> None:
        source = self.booted(self.back_end("src-fs", options=(*FILE_HANDLES, "--thread-pool-size=4")))
        self.refuse(source, self.destination(), "BACK_END_HAS_THREAD_POOL")

    def test_posix_acl(self) -> None:
        options = (*FILE_HANDLES, "--posix-acl")
        source = self.booted(self.back_end("src-fs", options=options))
        self.refuse(source, self.destination([self.back_end("dst-fs", options=options)]), "BACK_END_HAS_POSIX_ACL")

    def test_file_handles_without_the_capability(self) -> None:
        source = self.booted(self.back_end("src-fs", "1.13"))
        without = self.back_end("dst-fs", "1.13", options=("--migration-mode=file-handles",))
        self.refuse(source, self.destination([without]), "BACK_END_LACKS_DAC_READ_SEARCH")

    def test_negotiated_option_missing(self) -> None:
        source = self.booted(self.back_end("src-fs", options=(*FILE_HANDLES, "--writeback")))
        self.refuse(source, self.destination(), "NEGOTIATED_OPTION_MISSING")

    def test_harmful_option_drift(self) -> None:
        source = self.booted()
        read_only = self.back_end("dst-fs", options=(*FILE_HANDLES, "--readonly"))
        self.refuse(source, self.destination([read_only]), "OPTION_DIFFERS_HARMFULLY")

    def test_harmless_drift_and_lost_files_are_warnings(self) -> None:
        self.booted(self.back_end("src-fs", options=FIND_PATHS), nounlink=True)
        drift = self.back_end("dst-fs", options=(*FIND_PATHS, "--cache=never", "--migration-on-error=guest-error"))
        verdict = self.evaluate(self.destination([drift], nounlink=True))
        self.assert_allowed(verdict)
        self.assertLessEqual({"OPTION_DIFFERS", "LOST_FILES_GO_UNNOTICED", "SHARE_MAY_CHANGE"},
                             self.codes(verdict, "warnings"))

    def test_a_deleted_file_is_open_and_files_go_by_path(self) -> None:
        source = self.booted(self.back_end("src-fs", options=FIND_PATHS))
        self.refuse(source, self.destination(), "DELETED_FILES_OPEN")

    # Identity and shape

    def test_another_directory(self) -> None:
        source = self.booted()
        other = self.back_end("dst-fs", share=self.arena.share("other"))
        self.refuse(source, self.destination([other]), "SHARE_DIFFERS")

    def test_a_copy_of_the_directory(self) -> None:
        source = self.booted(self.back_end("src-fs", options=FIND_PATHS), nounlink=True)
        copy = self.arena.dir / "copy"
        shutil.copytree(self.share, copy)
        other = self.back_end("dst-fs", options=FIND_PATHS, share=str(copy))
        self.refuse(source, self.destination([other], nounlink=True), "SHARE_DIFFERS")

    def test_devices_swapped(self) -> None:
        other = self.arena.share("other")
        source = self.booted(self.back_end("src-0"), self.back_end("src-1", share=other))
        destination = self.destination([self.back_end("dst-0", share=other), self.back_end("dst-1")])
        self.refuse(source, destination, "SHARE_DIFFERS")

    def test_tag_differs(self) -> None:
        source = self.booted()
        self.refuse(source, self.destination(tags=["other"]), "TAG_DIFFERS")

    def test_queue_size_differs(self) -> None:
        source = self.booted()
        self.refuse(source, self.destination(device_options=",queue-size=512"), "QUEUE_SIZE_DIFFERS")

    def test_device_missing_at_destination(self) -> None:
        other = self.arena.share("other")
        source = self.booted(self.back_end("src-0"), self.back_end("src-1", share=other))
        self.refuse(source, self.destination([self.back_end("dst-0")]), "DEVICE_MISSING_AT_DESTINATION")

    def test_extra_device_at_destination(self) -> None:
        source = self.booted()
        extra = self.back_end("dst-1", share=self.arena.share("other"))
        self.refuse(source, self.destination([self.back_end("dst-0"), extra]), "DEVICE_MISSING_AT_SOURCE")

    def test_another_vm(self) -> None:
        source = self.booted()
        self.refuse(source, self.destination(uuid="00000000-0000-4000-8000-000000000002"), "UUID_DIFFERS")

    def test_destination_is_the_source(self) -> None:
        third_monitor = self.arena.path("third.qmp")
        source = self.booted(extra=("-qmp", f"unix:{third_monitor},server=on,wait=off"))
        self.refuse(source, third_monitor, "DESTINATION_IS_SOURCE")

    # Procedure

    def test_destination_would_start_by_itself(self) -> None:
        source = self.booted()
        self.refuse(source, self.destination(paused=False), "DESTINATION_STARTS_BY_ITSELF")

    def test_destination_not_waiting(self) -> None:
        source = self.booted()
        running = self.vm("dst", [self.back_end("dst-fs")], paused=True)
        self.refuse(source, running, "DESTINATION_NOT_WAITING")

    def test_no_destination(self) -> None:
        source = self.booted()
        self.refuse(source, None, "DESTINATION_NOT_GIVEN")

    def test_destination_monitor_missing(self) -> None:
        source = self.booted()
        self.refuse(source, self.arena.path("nobody.qmp"), "MONITOR_UNREACHABLE")

    def test_destination_frozen(self) -> None:
        source = self.booted()
        destination = self.destination()
        os.kill(destination.pid, signal.SIGSTOP)
        try:
            self.refuse(source, destination, "MONITOR_UNREACHABLE")
        finally:
            os.kill(destination.pid, signal.SIGCONT)

    def test_destination_on_the_source_s_back_end(self) -> None:
        back_end = self.back_end("src-fs")
        source = self.booted(back_end)
        # It hangs where it waits for the back-end's answer, with a monitor that greets and says no more.
        hung = self.vm("dst", [back_end], incoming=True, connect=False)
        self.arena.wait_for_file(hung.monitor, hung)
        self.refuse(source, hung, "MONITOR_UNREACHABLE")

    def test_source_already_moved(self) -> None:
        source = self.booted()
        elsewhere = self.vm("elsewhere", [self.back_end("else-fs")], incoming=True)
        moved = bed.migrate(source, elsewhere, f"unix:{self.arena.path('stream')}")
        self.assertEqual(moved.status, "completed", moved)
        self.assert_refused(self.evaluate(self.destination()), "RUN_STATE_UNSUITABLE")
        self.assertEqual(source.qmp.status(), "postmigrate")

    def test_somebody_else_is_migrating(self) -> None:
        source = self.booted()
        ours, qemus = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ours, qemus:
            # Nobody reads the other end, so this migration stays under way.
            source.qmp.cmd("getfd", {"fdname": "nowhere"}, fds=(qemus.fileno(),))
            source.qmp.cmd("migrate", {"uri": "fd:nowhere"})
            self.assert_refused(self.evaluate(self.destination()), "QEMU_IS_MIGRATING")
            source.qmp.cmd("migrate_cancel")
        bed.wait_for("the end", lambda: source.qmp.cmd("query-migrate")["status"] == "cancelled", 20)
        source.progress(20)
        source.assert_healthy()

    def test_all_reasons_at_once(self) -> None:
        source = self.booted(self.back_end("src-fs", options=(*FILE_HANDLES, "--thread-pool-size=4")))
        other = self.back_end("dst-fs", "c72", share=self.arena.share("other"))
        destination = self.destination([other], tags=["wrong"], paused=False)
        self.refuse(source, destination, "BACK_END_HAS_THREAD_POOL", "BACK_END_LACKS_DEVICE_STATE", "SHARE_DIFFERS",
                    "TAG_DIFFERS", "DESTINATION_STARTS_BY_ITSELF")

    def test_evaluation_leaves_an_idle_back_end_alone(self) -> None:
        self.booted()
        idle = self.back_end("idle-fs")
        endpoint = self.vufd.json("endpoints", "create", "idle", idle.socket)
        self.assertEqual(endpoint["state"], "STATE_LISTENING", endpoint)
        self.evaluate(None)
        self.assertTrue(idle.alive() and pathlib.Path(idle.socket).is_socket())

    def test_a_back_end_taken_for_a_monitor_is_left_alone(self) -> None:
        source = self.booted()
        idle = self.back_end("idle-fs")
        done = self.vufd.run("vms", "register", idle.socket)
        self.assertEqual(done.returncode, 1)
        self.assertIn("a back-end", done.stderr)
        found = self.vufd.json("vms", "discover", f"{self.arena.dir}/*.sock")["discovered"]
        self.assertIn("OUTCOME_FAILED", {entry["outcome"] for entry in found})
        self.refuse(source, idle.socket, "MONITOR_UNREACHABLE")
        self.assertTrue(idle.alive())


if __name__ == "__main__":
    unittest.main()
