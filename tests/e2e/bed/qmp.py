"""A QMP client: the test's own monitor on a QEMU, beside the one vufd uses."""

from __future__ import annotations

import array
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

from bed.wait import wait_for

Message = dict[str, Any]


class QmpError(Exception):
    """QEMU refused a command, or the monitor is gone (class CLOSED) or silent (class TIMEOUT)."""

    def __init__(self, command: str, error: Message) -> None:
        super().__init__(f"{command}: {error.get('class')}: {error.get('desc')}")
        self.error_class = str(error.get("class"))
        self.desc = str(error.get("desc"))


class Qmp:
    """One monitor connection. A thread reads it; all waits are bounded."""

    def __init__(self, path: str, timeout: float = 15) -> None:
        self.greeting: Message = {}
        self.events: list[Message] = []
        self._replies: dict[int, Message] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._last_id = 0
        self._socket = self._connect(path, timeout)
        self._reader = threading.Thread(target=self._read, name=f"qmp {path}", daemon=True)
        self._reader.start()
        with self._changed:
            self._changed.wait_for(lambda: self.greeting or self._closed, timeout)
        self.cmd("qmp_capabilities")

    @staticmethod
    def _connect(path: str, timeout: float) -> socket.socket:
        def attempt() -> socket.socket | None:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(path)
                return connection
            except OSError:
                connection.close()
                return None
        return wait_for(f"monitor {path}", attempt, timeout)

    def _read(self) -> None:
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    self._take(json.loads(line))
        except (OSError, ValueError):
            pass  # a monitor that died or broke off ends the same way: closed
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _take(self, message: Message) -> None:
        with self._changed:
            if "QMP" in message:
                self.greeting = message["QMP"]
            elif "event" in message:
                self.events.append(message)
            else:
                self._replies[message.get("id", 0)] = message
            self._changed.notify_all()

    def raw(self, command: str, arguments: Message | None = None, *, timeout: float = 30,
            fds: tuple[int, ...] = ()) -> Message:
        """Runs a command and returns QEMU's whole reply, `error` included. `fds` go along (for getfd)."""
        self._last_id += 1
        mine = self._last_id
        request: Message = {"execute": command, "id": mine}
        if arguments:
            request["arguments"] = arguments
        data = json.dumps(request).encode() + b"\n"
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self._socket.sendmsg([data], ancillary)
            self._socket.sendall(data[sent:])
        except OSError as error:
            return {"error": {"class": "CLOSED", "desc": str(error)}}
        with self._changed:
            self._changed.wait_for(lambda: mine in self._replies or self._closed, timeout)
            if mine in self._replies:
                return self._replies.pop(mine)
            return {"error": {"class": "CLOSED" if self._closed else "TIMEOUT", "desc": "no reply"}}

    def cmd(self, command: str, arguments: Message | None = None, *, timeout: float = 30,
            fds: tuple[int, ...] = ()) -> Any:
        """Runs a command; returns its result or raises QmpError."""
        reply = self.raw(command, arguments, timeout=timeout, fds=fds)
        if "error" in reply:
            raise QmpError(command, reply["error"])
        return reply["return"]

    def mark(self) -> int:
        """A place in the event stream, to look only at what comes later."""
        with self._changed:
            return len(self.events)

    def wait_event(self, name: str, *, since: int = 0, timeout: float = 15,
                   where: Callable[[Message], bool] = lambda data: True) -> Message:
        """The first event `name` after `since` whose data satisfies `where`."""
        def find() -> Message | None:
            return next((event for event in self.events[since:]
                         if event["event"] == name and where(event.get("data", {}))), None)
        with self._changed:
            self._changed.wait_for(lambda: find() or self._closed, timeout)
            found = find()
            if found is None:
                seen = [event["event"] for event in self.events[since:]]
                raise TimeoutError(f"no event {name} within {timeout:.1f} s (closed={self._closed}); seen: {seen}")
            return found

    def status(self) -> str:
        """The run state."""
        return str(self.cmd("query-status")["status"])

    def close(self) -> None:
        """Disconnects."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # already gone
        self._reader.join(5)
        self._socket.close()
