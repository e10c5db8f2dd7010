"""Starting a QEMU with vhost-user-fs devices, and watching its guest."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from bed.arena import Arena, Process
from bed.backend import BackEnd
from bed.console import Beat, Console
from bed.keeper import Keeper
from bed.manifest import load_manifest
from bed.qmp import Qmp
from bed.wait import wait_for

DEFAULT_UUID = "7b1c3f6e-0000-4000-8000-000000000001"
# The same on every QEMU of the bed from 10.0 on, so that a VM can move between them.
PORTABLE_MACHINE = "pc-q35-10.0"
_OLD_MACHINE = "pc-q35-7.2"


@dataclasses.dataclass(frozen=True)
class Fs:
    """One vhost-user-fs device. `backend` is a BackEnd, a Keeper or a socket path; `options` go to -device.

    QEMU 10.0.13 has rings of 1024 entries whatever queue-size says, while 11.1 obeys it (default 128)
    and refuses larger rings; only with 1024 can a VM move between them in both directions.
    """

    tag: str
    backend: BackEnd | Keeper | str
    options: str = ",queue-size=1024"

    @property
    def socket(self) -> str:
        """Where QEMU finds the back-end."""
        return self.backend if isinstance(self.backend, str) else self.backend.socket


@dataclasses.dataclass(frozen=True)
class VmOptions:
    """How a VM is started; a source and its destination must agree on all but incoming/paused/qemu."""

    qemu: str = "10.0"
    memory_mb: int = 128
    memory_share: bool = True
    machine: str = ""
    uuid: str = DEFAULT_UUID
    vm_name: str = "e2e-vm"
    incoming: bool = False
    paused: bool | None = None      # -S; None: exactly when incoming
    period_us: int = 5000           # pace of the guest's work
    nounlink: bool = False          # guest holds no open but unlinked file
    kick_ms: int = 0
    gate: bool = False              # guest keeps opening the share's file "gate", see bed.Gate
    walk: bool = False              # guest lists the share's "tree" before it works
    measure: bool = False           # guest measures I/O on all shares in turn instead of working: lines "IO TAG ..."
    memory_file: str = ""           # guest memory is this file (same-host RAM sharing); "": private to QEMU
    extra: Sequence[str] = ()


class Vm(Process):
    """A QEMU with two monitors: `monitor` (a path) is for vufd, `qmp` is the test's own connection."""

    def __init__(self, arena: Arena, name: str, devices: Sequence[Fs], options: VmOptions | None = None, *,
                 connect: bool = True, **changes: object) -> None:
        self.options = dataclasses.replace(options or VmOptions(), **changes)  # type: ignore[arg-type]
        self.monitor = arena.path(f"{name}.vufd.qmp")
        self._own_monitor = arena.path(f"{name}.test.qmp")
        self._serial = arena.path(f"{name}.console")
        self.console = Console(self._serial)
        super().__init__(arena, name, self._command_line(devices))
        if connect:
            self.connect(arena)

    def connect(self, arena: Arena) -> None:
        """Opens the test's monitor; a QEMU that exits instead is an error that quotes its log."""
        arena.wait_for_file(self._own_monitor, self)
        self.qmp = Qmp(self._own_monitor)
        arena.on_close(self.qmp.close)

    def _command_line(self, devices: Sequence[Fs]) -> list[str]:
        manifest, options = load_manifest(), self.options
        qemu = manifest.qemu[options.qemu]
        machine = options.machine or (_OLD_MACHINE if options.qemu == "7.2" else PORTABLE_MACHINE)
        line = [qemu.path, "-name", f"guest={options.vm_name},debug-threads=on", "-uuid", options.uuid,
                "-L", qemu.data_dir, "-M", f"{machine},memory-backend=mem", *manifest.accel_args,
                "-m", str(options.memory_mb),
                "-object", self._memory(),
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", f"file:{self._serial}"]
        for path in (self.monitor, self._own_monitor):
            line += ["-qmp", f"unix:{path},server=on,wait=off"]
        for index, device in enumerate(devices):
            line += ["-chardev", f"socket,id=char{index},path={device.socket}", "-device",
                     f"vhost-user-fs-pci,id=fs{index},chardev=char{index},tag={device.tag}{device.options}"]
        line += ["-kernel", manifest.kernel, "-initrd", manifest.initrd, "-append", self._kernel_line(devices)]
        line += ["-incoming", "defer"] if options.incoming else []
        line += ["-S"] if (options.incoming if options.paused is None else options.paused) else []
        return [*line, *options.extra]

    def _memory(self) -> str:
        options = self.options
        kind = f"memory-backend-file,mem-path={options.memory_file}" if options.memory_file else "memory-backend-memfd"
        return f"{kind},id=mem,size={options.memory_mb}M,share={'on' if options.memory_share else 'off'}"

    def _kernel_line(self, devices: Sequence[Fs]) -> str:
        words = [load_manifest().append, f"vfs.tags={','.join(device.tag for device in devices)}",
                 f"vfs.period_us={self.options.period_us}"]
        words += [f"vfs.{name}" for name in ("nounlink", "gate", "walk", "measure") if getattr(self.options, name)]
        if self.options.kick_ms:
            words.append(f"vfs.kick_ms={self.options.kick_ms}")
        return " ".join(words)

    def _explain(self) -> str:
        return (f"{self.name}: alive={self.alive()} beat={self.console.last_beat()} "
                f"errors={self.console.errors()[:5]} log={self.log()[-600:]!r}")

    def beat(self) -> Beat | None:
        """The newest heartbeat of the guest."""
        return self.console.last_beat()

    def wait_beat(self, timeout: float = 90) -> Beat:
        """The first heartbeat this QEMU wrote, or a newer one."""
        return wait_for(f"a heartbeat of {self.name}", self.beat, timeout, self._explain)

    def runs(self) -> bool:
        """Whether it runs its guest. One that ends while it is asked does not."""
        return self.alive() and self.qmp.raw("query-status").get("return", {}).get("status") == "running"

    def wait_n(self, n: int, tag: str | None = None, timeout: float = 90) -> Beat:
        """Waits until the guest has `n` records on every share (or on `tag`)."""
        def probe() -> Beat | None:
            if not self.alive():
                raise RuntimeError(f"QEMU exited with {self.returncode()}. {self._explain()}")
            beat = self.beat()
            if beat is None:
                return None
            done = beat.shares[tag].n if tag in beat.shares else beat.least_n() if tag is None else 0
            return beat if done >= n else None
        return wait_for(f"{n} records of {self.name}", probe, timeout, self._explain)

    def progress(self, more: int = 20, timeout: float = 30) -> Beat:
        """Waits until every share has `more` records than now, which proves that file I/O goes on."""
        return self.wait_n(self.wait_beat(timeout).least_n() + more, timeout=timeout)

    def errors(self) -> list[str]:
        """What went wrong in the guest, as seen on this QEMU's console."""
        return self.console.errors()

    def assert_healthy(self, empty_listings: int = 0) -> Beat:
        """Fails unless the guest saw no error and no wrong data up to now.

        Each stateful migration may show it one empty listing of a directory (the host's ext4).
        """
        beat = self.wait_beat()
        wrong = {tag: share for tag, share in beat.shares.items()
                 if not share.mounted or share.err or share.bad or share.empty > empty_listings}
        if wrong or self.errors():
            raise AssertionError(f"{self.name}: the guest saw errors: {wrong} {self.errors()[:10]}")
        return beat
