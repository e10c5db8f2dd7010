"""A guest's state in a file: migration in two steps, with as much time between them as a test wants."""

from __future__ import annotations

import pathlib

from bed.vm import Vm
from bed.wait import wait_for

_MAGIC = b"VUFKEEP\0"


def save(source: Vm, path: str, timeout: float = 30) -> str:
    """Migrates the source to a file; returns the final status. After "completed" it is in postmigrate."""
    source.qmp.cmd("migrate", {"uri": f"file:{path}"})

    def over() -> str | None:
        status = source.qmp.cmd("query-migrate").get("status")
        return status if status in ("completed", "failed") else None
    return wait_for(f"{source.name} to be saved", over, timeout, lambda: source.log()[-800:])


def begin_load(destination: Vm, path: str) -> None:
    """Has a QEMU that waits for a migration load a file."""
    destination.qmp.cmd("migrate-incoming", {"uri": f"file:{path}"})


def loaded(destination: Vm, timeout: float = 30) -> bool:
    """Whether the load went well; waits for its end. QEMU exits after one that did not."""
    def over() -> bool | None:
        if not destination.alive():
            return True
        reply = destination.qmp.raw("query-migrate").get("return", {})
        return reply.get("status") in ("completed", "failed") or None
    wait_for(f"{destination.name} to load", over, timeout, lambda: destination.log()[-800:])
    return destination.alive() and destination.qmp.status() == "paused"


def load(destination: Vm, path: str) -> bool:
    """Loads a file; whether that went well."""
    begin_load(destination, path)
    return loaded(destination)


def with_flipped_bit(path: str, copy: str, offset: int, bit: int) -> str:
    """Copies a file with one bit of its keeper marker flipped; returns `copy`."""
    state = bytearray(pathlib.Path(path).read_bytes())
    marker = state.index(_MAGIC)
    if state.find(_MAGIC, marker + 1) >= 0:
        raise ValueError(f"{path} has more than one marker")
    state[marker + offset] ^= 1 << bit
    pathlib.Path(copy).write_bytes(state)
    return copy
