"""The private directory and the processes of one test."""

from __future__ import annotations

import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence

from bed.mounted_root import ensure_mounted_root
from bed.wait import wait_for

_PR_SET_PDEATHSIG = 1
_CLONE_NEWNET = 0x40000000
_UNIX_PATH_LIMIT = 107
_libc = ctypes.CDLL(None, use_errno=True)


def children(pid: int) -> list[int]:
    """All descendants of a process."""
    try:
        direct = [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return direct + [below for child in direct for below in children(child)]


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Process:
    """A started program, its log file, and the only pids a test may end."""

    def __init__(self, arena: Arena, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None,
                 pass_fds: Sequence[int] = ()) -> None:
        self.name = name
        self.argv = list(argv)
        self.log_path = arena.dir / f"{name}.log"
        self._network = arena.network
        with open(self.log_path, "ab") as log:
            # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
            self._popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                           env={**os.environ, **(env or {})}, start_new_session=True,
                                           pass_fds=pass_fds, preexec_fn=self._prepare)
        arena.adopt(self)

    def _prepare(self) -> None:
        """In the child, before it becomes the program."""
        if self._network:
            namespace = os.open(self._network, os.O_RDONLY)
            if _libc.setns(namespace, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            os.close(namespace)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def pids(self) -> list[int]:
        """It, and what it forked."""
        return [self.pid, *children(self.pid)]

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._popen.poll() is None

    def log(self) -> str:
        """All it printed."""
        return self.log_path.read_text(errors="replace")

    def returncode(self) -> int | None:
        """The exit status, None while it runs."""
        return self._popen.poll()

    def wait(self, timeout: float = 10) -> int:
        """Waits for it to exit by itself; returns the status."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} still runs after {timeout:.1f} s; its log ends:\n{self.log()[-800:]}"
                               ) from None

    def signal(self, number: int) -> None:
        """Sends one signal to the process itself."""
        if self.alive():
            _kill(self.pid, number)

    def terminate(self, timeout: float = 10) -> int:
        """SIGTERM, then waits; returns the status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self) -> None:
        """SIGKILL to the process and what it forked; returns when it is gone."""
        forked = children(self.pid) if self.alive() else []
        self.signal(signal.SIGKILL)
        for pid in forked:
            _kill(pid, signal.SIGKILL)
        self._popen.wait(10)


class Arena:
    """One test's directory (short, because socket paths must be) and everything started in it."""

    def __init__(self, keep: bool | None = None) -> None:
        ensure_mounted_root()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="vb-"))
        self._keep = bool(os.environ.get("VUFD_E2E_KEEP")) if keep is None else keep
        self._processes: list[Process] = []
        self._closers: list[Callable[[], None]] = []
        # The network namespace of what is started from now on; "": the test's own.
        self.network = ""

    def adopt(self, process: Process) -> None:
        """Makes a process end with the arena."""
        self._processes.append(process)

    def logs(self, limit: int = 1500) -> str:
        """What each process printed last."""
        return "\n".join(f"== {process.name}: {process.log()[-limit:]}" for process in self._processes)

    def on_close(self, closer: Callable[[], None]) -> None:
        """Has `closer` called before the processes end."""
        self._closers.append(closer)

    def path(self, name: str) -> str:
        """A path in the directory, checked to be short enough for a unix socket."""
        path = str(self.dir / name)
        if len(path.encode()) > _UNIX_PATH_LIMIT:
            raise ValueError(f"{path!r} is {len(path.encode())} bytes long, a unix socket path may have "
                             f"{_UNIX_PATH_LIMIT}: set TMPDIR to a shorter directory")
        return path

    def share(self, name: str) -> str:
        """A directory to share with a guest."""
        path = self.dir / name
        path.mkdir(exist_ok=True)
        return str(path)

    def wait_for_file(self, path: str, owner: Process, timeout: float = 10) -> None:
        """Waits until `owner` made `path`; fails at once when it exits instead."""
        def probe() -> bool:
            if not owner.alive():
                raise RuntimeError(f"{owner.name} exited with {owner.returncode()}: {owner.log()[-1500:]}")
            return os.path.exists(path)
        wait_for(path, probe, timeout, lambda: owner.log()[-1500:])

    def close(self) -> None:
        """Ends everything started, newest first, and removes the directory."""
        for closer in reversed(self._closers):
            closer()
        self._closers.clear()
        for process in reversed(self._processes):
            process.kill()
        self._processes.clear()
        if not self._keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self) -> Arena:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()
