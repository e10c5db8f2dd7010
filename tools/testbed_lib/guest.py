"""Builds the guest: an uncompressed kernel and an initramfs that holds one static program."""

from __future__ import annotations

import lzma
import pathlib
import re
import stat
import struct
import subprocess
import tarfile
import tempfile

from testbed_lib.common import BedError, run

_ELF = b"\x7fELF"
_ZSTD = b"\x28\xb5\x2f\xfd"
_XZ = b"\xfd7zXZ"


def vmlinux_from_deb(deb: pathlib.Path) -> bytes:
    """The uncompressed kernel of a Debian kernel package."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as unpacker:
        try:
            with tarfile.open(fileobj=unpacker.stdout, mode="r|") as tar:
                for member in tar:
                    content = tar.extractfile(member) if re.fullmatch(r"\./boot/vmlinuz-.*", member.name) else None
                    if content is not None:
                        return _decompress(content.read())
        finally:
            unpacker.kill()
    raise BedError(f"{deb.name} contains no /boot/vmlinuz-*")


def _decompress(bzimage: bytes) -> bytes:
    """QEMU boots an ELF kernel (PVH) in half the time of a self-extracting one under TCG."""
    setup_sectors = bzimage[0x1F1]
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = bzimage[start:start + length]
    if payload.startswith(_XZ):
        kernel = lzma.LZMADecompressor().decompress(payload)
    elif payload.startswith(_ZSTD):
        # The payload ends in a size word that is not zstd; the tool unpacks everything, then complains about it.
        done = subprocess.run(["zstd", "-dcq"], input=payload, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=False, timeout=120)
        kernel = done.stdout
    else:
        raise BedError(f"the guest kernel is packed in an unknown way (starts with {payload[:6].hex()})")
    if not kernel.startswith(_ELF):
        raise BedError("the guest kernel did not unpack to an ELF image")
    return kernel


def initramfs(sources: pathlib.Path) -> bytes:
    """Compiles the guest program from the C files of a directory; returns a cpio archive with it as /init."""
    with tempfile.TemporaryDirectory(prefix="vufd-guest-") as scratch:
        program = pathlib.Path(scratch) / "init"
        run(["gcc", "-std=gnu11", "-O2", "-static", "-s", "-Wall", "-Wextra", "-Werror", "-o", str(program),
             *sorted(map(str, sources.glob("*.c")))], "compiling the guest program", timeout=120)
        return _cpio(program.read_bytes())


def _cpio(init: bytes) -> bytes:
    entries = [
        _cpio_entry("dev", stat.S_IFDIR | 0o755, b""),
        _cpio_entry("dev/console", stat.S_IFCHR | 0o600, b"", device=(5, 1)),
        _cpio_entry("init", stat.S_IFREG | 0o755, init),
        _cpio_entry("TRAILER!!!", 0, b""),
    ]
    return b"".join(entries)


def _cpio_entry(name: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> bytes:
    raw_name = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(raw_name), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + raw_name
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
