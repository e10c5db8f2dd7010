"""Reading what the guest reports on its serial console (tests/e2e/guest/init.c)."""

from __future__ import annotations

import dataclasses
import pathlib
import re


@dataclasses.dataclass(frozen=True)
class ShareBeat:
    """State of one share in one heartbeat."""

    mounted: bool
    n: int = 0          # records written and read back
    err: int = 0
    bad: int = 0        # wrong data
    age_ms: int = 0     # since the last step ended: large when file I/O hangs
    gap_ms: int = 0     # longest such pause so far
    unlinked: int = 0   # rounds on the open but unlinked file
    listings: int = 0   # complete directory listings
    created: int = 0    # create/rename/unlink rounds
    full: int = 0       # verifications of the whole file
    mapped: int = 0     # rounds on the mapped file
    empty: int = 0      # directory listings without an entry
    kicks: int = 0
    gate_opens: int = 0  # of the file "gate" (with the option gate)
    gate_tries: int = 0  # larger than gate_opens by one while such a request is under way
    known: int = 0      # files made known by the walk (with the option walk)
    op: str = ""


@dataclasses.dataclass(frozen=True)
class Beat:
    """One heartbeat."""

    number: int
    shares: dict[str, ShareBeat]

    def least_n(self) -> int:
        """The number of records of the share that is furthest behind; 0 while one is not mounted."""
        return min((share.n for share in self.shares.values()), default=0)


_FIELDS = {"n": "n", "err": "err", "bad": "bad", "age": "age_ms", "gap": "gap_ms", "ul": "unlinked", "dir": "listings",
           "new": "created", "full": "full", "map": "mapped", "quirk": "empty", "kicks": "kicks", "known": "known"}


def _share_beat(words: list[str]) -> ShareBeat:
    if words == ["UNMOUNTED"]:
        return ShareBeat(mounted=False)
    values = dict(word.split("=", 1) for word in words)
    numbers = {field: int(values[key].removesuffix("ms")) for key, field in _FIELDS.items()}
    opens, tries = (int(number) for number in values["gate"].split("/"))
    return ShareBeat(mounted=True, op=values["op"], gate_opens=opens, gate_tries=tries, **numbers)


def parse_beat(line: str) -> Beat | None:
    """A heartbeat line, or None for any other or damaged one."""
    head = re.match(r"HB (\d+) t=\d+", line)
    if head is None:
        return None
    try:
        parts = [part.split() for part in line.split(" | ")[1:]]
        return Beat(int(head.group(1)), {words[0]: _share_beat(words[1:]) for words in parts})
    except (KeyError, ValueError, IndexError):
        return None


class Console:
    """The serial console of one QEMU, as QEMU writes it to a file."""

    def __init__(self, path: str) -> None:
        self._path = pathlib.Path(path)

    def text(self) -> str:
        """Everything printed so far."""
        try:
            return self._path.read_text(errors="replace").replace("\r", "")
        except FileNotFoundError:
            return ""

    def _complete_lines(self) -> list[str]:
        return self.text().split("\n")[:-1]

    def last_beat(self) -> Beat | None:
        """The newest complete heartbeat."""
        for line in reversed(self._complete_lines()):
            beat = parse_beat(line)
            if beat is not None:
                return beat
        return None

    def errors(self) -> list[str]:
        """All error lines of the guest."""
        return [line for line in self._complete_lines() if line.startswith("E ")]
