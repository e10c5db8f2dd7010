"""What the bed consists of, and the steps that bring it up."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from testbed_lib import accel, guest, programs, sandbox
from testbed_lib.aptroot import AptRoot, choose_mirror
from testbed_lib.common import BedError, digest, read_json, say, write_atomically, write_json

_LIBRARY = pathlib.Path(__file__).resolve().parent
_GUEST_SOURCES = _LIBRARY.parent.parent / "tests/e2e/guest"
_BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")
MANIFEST = "bed.json"


@dataclasses.dataclass(frozen=True)
class Suite:
    """Which roles of the bed a Debian suite fills."""

    name: str
    packages: tuple[str, ...]
    qemu_role: str
    virtiofsd_role: str
    virtiofsd_version: str


SUITES = (
    Suite("bookworm", ("qemu-system-x86", "qemu-system-common"), "7.2", "c72", "7.2"),
    Suite("trixie", ("qemu-system-x86", "virtiofsd"), "10.0", "1.13", "1.13"),
    Suite("sid", ("qemu-system-x86", "virtiofsd"), "11.1", "1.14", "1.14"),
)
_KERNEL_SUITE = "trixie"
_C_SUITE = "bookworm"
_KERNEL_META = "linux-image-cloud-amd64"
_PROBE_ROLE = "10.0"


def recipe() -> str:
    """Changes whenever this builder or the guest program does."""
    return digest(*sorted(_LIBRARY.glob("*.py")), *sorted(_GUEST_SOURCES.glob("*.[ch]")))


def is_current(bed: pathlib.Path) -> bool:
    """Whether the bed is complete and was built by this recipe, on this boot of this host, for this place."""
    manifest = read_json(bed / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("made") != _made(bed):
        return False
    programs_there = [entry["path"] for part in ("qemu", "virtiofsd") for entry in manifest[part].values()]
    return all(pathlib.Path(path).exists() for path in [*programs_there, manifest["kernel"], manifest["initrd"]])


def _made(bed: pathlib.Path) -> dict[str, str]:
    return {"recipe": recipe(), "place": str(bed), "boot_id": _BOOT_ID.read_text().strip()}


def build(bed: pathlib.Path) -> None:
    """Brings the bed up; every finished step is kept, so a failed run goes on where it stopped."""
    (bed / MANIFEST).unlink(missing_ok=True)
    mirror = choose_mirror(bed, SUITES[0].name)
    say(f"mirror (from this host's apt): {mirror}")
    manifest: dict[str, Any] = {"format": 1, "qemu": {}, "virtiofsd": {}, "append": accel.APPEND}
    for suite in SUITES:
        root = AptRoot(bed, suite.name, mirror)
        root.update()
        _add_suite(manifest, suite, root)
        if suite.name == _KERNEL_SUITE:
            _add_kernel(manifest, bed, root)
    initrd = bed / "guest" / "initrd.cpio"
    write_atomically(initrd, guest.initramfs(_GUEST_SOURCES))
    manifest["initrd"] = str(initrd)
    manifest.update(accel.choose(manifest["qemu"][_PROBE_ROLE], pathlib.Path(manifest["kernel"]), initrd))
    manifest["sandbox"] = sandbox.choose([entry["path"] for entry in manifest["virtiofsd"].values()
                                          if entry["suite"] != _C_SUITE])
    manifest["made"] = _made(bed)
    write_json(bed / MANIFEST, manifest)


def _add_suite(manifest: dict[str, Any], suite: Suite, root: AptRoot) -> None:
    versions = root.install(suite.packages)
    qemu = programs.qemu(root.tree)
    qemu["package_version"] = versions["qemu-system-x86"]
    virtiofsd = programs.virtiofsd(root.tree)
    virtiofsd["package_version"] = versions.get("virtiofsd", versions["qemu-system-common"])
    _check_version("QEMU", suite.name, suite.qemu_role, qemu["version"])
    _check_version("virtiofsd", suite.name, suite.virtiofsd_version, virtiofsd["version"])
    manifest["qemu"][suite.qemu_role] = qemu
    manifest["virtiofsd"][suite.virtiofsd_role] = virtiofsd


def _check_version(what: str, suite: str, wanted: str, found: str) -> None:
    """Suites move on; a successor fills the role, anything older cannot."""
    numbers = tuple(int(part) for part in found.split("."))
    least = tuple(int(part) for part in wanted.split("."))
    if numbers < least:
        raise BedError(f"{what} {wanted} or later is needed, {suite} has only {found}")
    if numbers[:len(least)] != least:
        say(f"NOTE: {suite} has moved on from {what} {wanted} to {found}; {found} fills the role {wanted}")


def _add_kernel(manifest: dict[str, Any], bed: pathlib.Path, root: AptRoot) -> None:
    package = root.candidate(root.depends_on(_KERNEL_META, r"linux-image-\d.*"))
    kernel = bed / "guest" / f"vmlinux-{package.version}"
    if not kernel.exists():
        write_atomically(kernel, guest.vmlinux_from_deb(root.download_one(package)))
    manifest["kernel"] = str(kernel)
    manifest["kernel_version"] = f"{package.name} {package.version}"
