"""Making one request of the guest stay under way in the back-end for as long as a test wants."""

from __future__ import annotations

import fcntl
import os
import pathlib
import signal
from types import TracebackType


class Gate:
    """While it is shut, the guest's open() of the share's file "gate" blocks in the back-end.

    The test holds a lease on the file: the kernel makes everybody else who opens it wait until the
    lease is given back, or for /proc/sys/fs/lease-break-time (45 s). Needs a guest with VmOptions.gate.
    """

    def __init__(self, share: str) -> None:
        # The kernel tells the holder that somebody waits; the test knows from the guest.
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        path = pathlib.Path(share, "gate")
        hidden = pathlib.Path(share, ".gate")
        self._fd = os.open(hidden, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.fcntl(self._fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        # The guest finds it only now: it cannot have it open.
        hidden.rename(path)

    def open(self) -> None:
        """Lets whoever waits go on."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.open()
