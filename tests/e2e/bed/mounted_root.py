"""Makes a plain chroot good enough for virtiofsd.

virtiofsd looks its share's mount up in mountinfo and pivots its root; both need a root that is a
mount point. In a plain chroot (a debootstrap tree, say) it is not one.
"""

from __future__ import annotations

import ctypes
import os
import pathlib

_CLONE_NEWNS = 0x00020000
_MS_BIND_REC = 0x1000 | 0x4000
_MS_PRIVATE_REC = 0x40000 | 0x4000


def _root_is_mounted() -> bool:
    mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == "/" for line in mounts)


def _mount(libc: ctypes.CDLL, source: str, target: str, flags: int) -> None:
    if libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source} on {target}: {os.strerror(number)}")


def ensure_mounted_root() -> None:
    """Moves this process, and what it starts from now on, to a mount of its own root if it needs one.

    The mount lives in a namespace of this process and is gone with it. Call it before any thread runs.
    """
    if _root_is_mounted():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"this chroot needs a mount namespace to run virtiofsd: {os.strerror(number)}")
    here = os.getcwd()
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        _mount(libc, "none", line.split()[4], _MS_PRIVATE_REC)
    _mount(libc, "/", "/mnt", _MS_BIND_REC)
    os.chroot("/mnt")
    os.chdir(here)
