"""Checking on the host the file a guest wrote."""

from __future__ import annotations

import dataclasses
import os
import zlib

_RECORD = 64


@dataclasses.dataclass(frozen=True)
class ChainReport:
    """Number of good records from the start; `bad` describes the first wrong one."""

    records: int
    bad: str = ""


def check_chain(share: str) -> ChainReport:
    """Checks every record of work/counter.log in a shared directory.

    A record torn at the end of the file is one the guest is writing right now, and no error.
    """
    chain = 0
    count = 0
    with open(os.path.join(share, "work", "counter.log"), "rb") as log:
        while len(record := log.read(_RECORD)) == _RECORD:
            text = b"%016d %08x " % (count + 1, chain)
            if record != text + b"%08x %028d\n" % (zlib.crc32(text), 0):
                return ChainReport(count, f"record {count + 1} is {record!r}")
            chain = zlib.crc32(record, chain)
            count += 1
    return ChainReport(count)
