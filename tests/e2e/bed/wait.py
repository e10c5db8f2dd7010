"""Bounded waiting on outside processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_POLL_SECONDS = 0.02


def wait_for(what: str, probe: Callable[[], T | None], timeout: float,
             explain: Callable[[], str] = lambda: "") -> T:
    """Polls until `probe` returns something true, and returns that; TimeoutError names `what`."""
    end = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() >= end:
            raise TimeoutError(f"waited {timeout:.1f} s in vain for {what}. {explain()}".rstrip())
        time.sleep(_POLL_SECONDS)
