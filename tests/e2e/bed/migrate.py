"""One migration done with bare QMP, the way an operator would without vufd: for testing the bed
itself, and as the yardstick for what vufd does."""

from __future__ import annotations

import dataclasses
import socket
import time
from typing import Any

from bed.vm import Vm
from bed.wait import wait_for

_ON = ("events", "return-path", "pause-before-switchover")
_OVER = ("completed", "failed", "cancelled")
_FD_NAME = "vufd-test-stream"


@dataclasses.dataclass(frozen=True)
class Migration:
    """How a migration ended on the source; `info` is its query-migrate."""

    status: str
    error: str
    info: dict[str, Any]
    wall_seconds: float


def set_capabilities(vm: Vm) -> None:
    """Events, return path (without it a dead destination looks like success), pause before switch-over."""
    vm.qmp.cmd("migrate-set-capabilities", {"capabilities": [{"capability": name, "state": True} for name in _ON]})


def hand_over_stream(source: Vm, destination: Vm) -> str:
    """Gives each QEMU one end of a socket pair; returns the URI both use."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for vm, end in zip((source, destination), ends):
        with end:
            vm.qmp.cmd("getfd", {"fdname": _FD_NAME}, fds=(end.fileno(),))
    return f"fd:{_FD_NAME}"


def migrate(source: Vm, destination: Vm, uri: str, *, timeout: float = 30) -> Migration:
    """Moves the running VM; the destination stays paused if it was started with -S."""
    for vm in (source, destination):
        set_capabilities(vm)
    started = time.monotonic()
    mark = source.qmp.mark()
    destination.qmp.cmd("migrate-incoming", {"uri": uri})
    source.qmp.cmd("migrate", {"uri": uri})
    # By the event, not by polling: the guest stands still in pre-switchover.
    stops = ("pre-switchover", *_OVER)
    status = source.qmp.wait_event("MIGRATION", since=mark, timeout=timeout,
                                   where=lambda data: data["status"] in stops)["data"]["status"]
    if status == "pre-switchover":
        source.qmp.cmd("migrate-continue", {"state": "pre-switchover"})
        source.qmp.wait_event("MIGRATION", since=mark, timeout=timeout, where=lambda data: data["status"] in _OVER)
    status = _wait_status(source, _OVER, timeout)
    info = source.qmp.cmd("query-migrate")
    return Migration(status, info.get("error-desc", ""), info, time.monotonic() - started)


def _wait_status(vm: Vm, wanted: tuple[str, ...], timeout: float) -> str:
    def probe() -> str | None:
        status = vm.qmp.cmd("query-migrate").get("status")
        return status if status in wanted else None
    return wait_for(f"migration of {vm.name} to be {wanted}", probe, timeout,
                    lambda: str(vm.qmp.raw("query-migrate")))
