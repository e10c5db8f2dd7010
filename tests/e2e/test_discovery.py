"""`vms discover` without a glob finds every QEMU on the host, and says of each what it is good for."""

from __future__ import annotations

import os
import stat
import unittest
import uuid
from typing import Any

import bed
from world import World


class DiscoveryTest(World):
    """Other QEMUs of the machine are found as well; only the arena's are looked at."""

    def discover(self) -> dict[str, dict[str, Any]]:
        """What was found of this test's QEMUs, by the file name of the monitor."""
        found = self.vufd.json("vms", "discover")["discovered"]
        prefix = f"{self.arena.dir}/"
        return {entry["qmp_socket"].removeprefix(prefix): entry for entry in found
                if entry.get("qmp_socket", "").startswith(prefix)}

    def bare(self, name: str, *options: str, wrapper: tuple[str, ...] = ()) -> bed.Process:
        """A QEMU without a guest."""
        qemu = bed.load_manifest().qemu["10.0"]
        line = [*wrapper, qemu.path, "-name", name, "-L", qemu.data_dir, "-M", "none", "-nodefaults", "-display",
                "none", "-S", *options]
        return bed.Process(self.arena, name, line)

    def reason(self, process: bed.Process) -> str:
        """Why a QEMU cannot be used."""
        found = self.vufd.json("vms", "discover")["discovered"]
        errors = [entry["error"] for entry in found if f"QEMU process {process.pid} " in entry.get("error", "")]
        self.assertEqual(len(errors), 1, found)
        return str(errors[0])

    def test_running_and_waiting(self) -> None:
        # Not the name and the UUID that every other QEMU of the bed has.
        identity = {"uuid": str(uuid.uuid4()), "vm_name": f"found-{uuid.uuid4()}"}
        source = self.vm("src", [self.back_end("src-fs")], **identity)
        source.wait_n(20)
        self.vm("dst", [self.back_end("dst-fs")], incoming=True, **identity)
        found = self.discover()
        self.assertEqual(found["src.vufd.qmp"]["outcome"], "OUTCOME_REGISTERED", found)
        self.assertEqual(found["src.vufd.qmp"]["vm"]["name"], f"vms/{identity['vm_name']}")
        self.assertEqual(found["dst.vufd.qmp"]["outcome"], "OUTCOME_INCOMING", found)
        self.assertEqual(set(found), {"src.vufd.qmp", "dst.vufd.qmp"}, "one entry for each QEMU")
        self.assertEqual(self.discover()["src.vufd.qmp"]["outcome"], "OUTCOME_KNOWN")
        source.progress(20)
        source.assert_healthy()

    def test_all_monitors_in_use(self) -> None:
        source = self.vm("src", [self.back_end("src-fs")], paused=True)
        second = bed.Qmp(source.monitor)
        self.addCleanup(second.close)
        self.assertIn("in use: another client is connected", self.reason(source))

    def test_no_monitor(self) -> None:
        process = self.bare("bare")
        bed.wait_for("QEMU to be there", lambda: "has none" in self.reason(process), 10)

    def test_another_mount_namespace(self) -> None:
        inside = self.arena.share("inside")
        monitor = f"{inside}/q.qmp"
        script = f'mount -t tmpfs none {inside} && exec "$@"'
        name = f"elsewhere-{uuid.uuid4()}"
        process = self.bare(name, "-qmp", f"unix:{monitor},server=on,wait=off",
                            wrapper=("unshare", "-m", "--propagation=private", "sh", "-c", script, "sh"))
        reachable = f"/proc/{process.pid}/root{monitor}"
        bed.wait_for("the monitor", lambda: _is_socket(reachable), 10, process.log)
        reason = self.reason(process)
        self.assertIn("another mount namespace", reason)
        self.assertIn(reachable, reason)
        self.assertEqual(self.vufd.json("vms", "register", reachable)["name"], f"vms/{name}")

    def test_a_program_that_only_has_the_arguments_of_a_qemu(self) -> None:
        monitor = self.arena.path("nobody.qmp")
        process = bed.Process(self.arena, "impostor", ["python3", "-c", "import time; time.sleep(600)", "-qmp",
                                                       f"unix:{monitor},server=on"])
        found = self.vufd.json("vms", "discover").get("discovered", [])
        self.assertNotIn(str(process.pid), " ".join(entry.get("error", "") for entry in found))


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
