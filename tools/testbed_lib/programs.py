"""Makes programs of another suite run on this host under their own names.

A copy gets the interpreter and library path of its own tree written into it. Starting the tree's
ld.so by hand would do too, but then /proc/PID/exe and the command line would show the loader, and
what vufd reads there is part of what is tested.
"""

from __future__ import annotations

import pathlib
import re
import shutil

from testbed_lib.common import BedError, run

_QEMU = "usr/bin/qemu-system-x86_64"
_LIBRARY_DIRS = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
_INTERPRETERS = ("usr/lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2",
                 "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")


def _interpreter(tree: pathlib.Path) -> pathlib.Path:
    for name in _INTERPRETERS:
        # exists() follows links; the absolute ones of older packages would lead out of the tree.
        if (tree / name).exists() and tree in (tree / name).resolve().parents:
            return tree / name
    raise BedError(f"no dynamic loader below {tree}")


def relocate(tree: pathlib.Path, program: str) -> pathlib.Path:
    """Rewrites `program` in place to use the libraries of `tree`; the untouched file stays beside it."""
    path = tree / program
    untouched = path.with_name(path.name + ".untouched")
    if not path.exists():
        raise BedError(f"{program} is missing from the packages of {tree.name}")
    if untouched.exists():
        return path
    libraries = ":".join(str(tree / part) for part in _LIBRARY_DIRS)
    scratch = path.with_name(path.name + ".scratch")
    shutil.copy2(path, scratch)
    run(["patchelf", "--set-interpreter", str(_interpreter(tree)), "--force-rpath", "--set-rpath", libraries,
         str(scratch)], f"relocating {program}", timeout=60)
    path.rename(untouched)
    scratch.rename(path)
    return path


def version_of(program: pathlib.Path) -> str:
    """The version a program reports."""
    said = run([str(program), "--version"], f"{program.name} --version", timeout=20)
    found = re.search(r"\b(\d+\.\d+(?:\.\d+)*)", said)
    if not found:
        raise BedError(f"{program} --version says nothing like a version: {said.strip()!r}")
    return found.group(1)


def qemu(tree: pathlib.Path) -> dict[str, str]:
    """The QEMU of a tree, ready to run with `-L data_dir`."""
    path = relocate(tree, _QEMU)
    data_dir = tree / "usr/share/qemu"
    _link_firmware(tree / "usr/share/seabios", data_dir)
    return {"path": str(path), "version": version_of(path), "data_dir": str(data_dir), "suite": tree.name}


def _link_firmware(firmware: pathlib.Path, data_dir: pathlib.Path) -> None:
    """Debian keeps the BIOS in a directory of its own, which QEMU looks for at its place on a real host."""
    for image in firmware.glob("*.bin"):
        link = data_dir / image.name
        if not link.exists():
            link.symlink_to(f"../{firmware.name}/{image.name}")


def virtiofsd(tree: pathlib.Path) -> dict[str, str]:
    """The virtiofsd of a tree, ready to run: the Rust one, or the C one that came with QEMU."""
    program = next((name for name in ("usr/libexec/virtiofsd", "usr/lib/qemu/virtiofsd") if (tree / name).exists()),
                   None)
    if program is None:
        raise BedError(f"the packages of {tree.name} contain no virtiofsd")
    path = relocate(tree, program)
    return {"path": str(path), "version": version_of(path), "suite": tree.name}
