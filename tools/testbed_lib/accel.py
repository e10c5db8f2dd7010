"""Finds out how this host can run the guest: by running it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import tempfile
import time

from testbed_lib.common import BedError, say

# With max_cpus=1 QEMU translates the guest's locked instructions without a barrier; the back-end is
# another process, so a kick could get lost that a real host would not lose.
_TCG = ("-accel", "tcg,thread=multi,tb-size=64", "-cpu", "qemu64", "-smp", "1,maxcpus=2")
_KVM = ("-accel", "kvm", "-cpu", "host", "-smp", "2,maxcpus=2")
_KVM_BOOT_LIMIT = 12.0
_TCG_BOOT_LIMIT = 120.0

APPEND = ("console=ttyS0 panic=-1 quiet nokaslr mitigations=off tsc=reliable random.trust_cpu=on "
          "8250.nr_uarts=1 audit=0 apparmor=0 cryptomgr.notests no_timer_check")


def choose(qemu: dict[str, str], kernel: pathlib.Path, initrd: pathlib.Path) -> dict[str, object]:
    """KVM when a guest really comes up under it, else TCG; fails when neither boots."""
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        took = _boot(qemu, kernel, initrd, _KVM, _KVM_BOOT_LIMIT)
        if took is not None:
            return _chosen("kvm", _KVM, took)
        say(f"/dev/kvm is there, but the guest does not come up under it in {_KVM_BOOT_LIMIT:.0f} s: using TCG")
    took = _boot(qemu, kernel, initrd, _TCG, _TCG_BOOT_LIMIT)
    if took is None:
        raise BedError(f"the guest does not boot under TCG in {_TCG_BOOT_LIMIT:.0f} s with {qemu['path']}")
    return _chosen("tcg", _TCG, took)


def _chosen(kind: str, args: tuple[str, ...], took: float) -> dict[str, object]:
    say(f"guest boots with {kind} in {took:.1f} s")
    return {"accel": kind, "accel_args": list(args), "boot_seconds": round(took, 2)}


def _boot(qemu: dict[str, str], kernel: pathlib.Path, initrd: pathlib.Path, accel: tuple[str, ...],
          limit: float) -> float | None:
    """Seconds until the guest program runs; None when it does not within `limit`."""
    with tempfile.TemporaryDirectory(prefix="vufd-accel-") as scratch:
        console = pathlib.Path(scratch) / "console"
        argv = [qemu["path"], "-L", qemu["data_dir"], "-M", "q35", "-m", "128", "-nodefaults", "-no-user-config",
                "-display", "none", "-no-reboot", "-serial", f"file:{console}", *accel,
                "-kernel", str(kernel), "-initrd", str(initrd), "-append", APPEND]
        started = time.monotonic()
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            try:
                while time.monotonic() - started < limit and process.poll() is None:
                    if console.exists() and b"GUEST-UP" in console.read_bytes():
                        return time.monotonic() - started
                    time.sleep(0.05)
                return None
            finally:
                process.kill()
