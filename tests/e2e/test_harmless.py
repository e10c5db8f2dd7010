"""Looking at back-ends harms none: an idle virtiofsd exits when somebody connects to it and leaves."""

from __future__ import annotations

import re
import unittest

import bed
from discovery_rounds import Subject, globs, look_round
from world import BareWorld, World

_ROUNDS = 5
_CONNECT = re.compile(r'connect\(\d+, \{sa_family=AF_UNIX, sun_path="([^"]*)"')


class SurvivalTest(World):
    """tests/e2e/harmless does the same a thousand times."""

    def start_vufd(self) -> bed.Vufd:
        # The refresher looks as well, at everything that is there.
        return bed.Vufd(self.arena, globs=globs(self.arena))

    def _survives(self, role: str) -> None:
        subject = Subject.start(self.arena, self.vufd, role)
        for _ in range(_ROUNDS):
            look_round(self.arena, self.vufd, [subject])
        subject.check()

    def test_virtiofsd_1_14(self) -> None:
        self._survives("1.14")

    def test_virtiofsd_1_13(self) -> None:
        self._survives("1.13")

    def test_virtiofsd_of_qemu_7_2(self) -> None:
        self._survives("c72")


class ConnectTest(BareWorld):
    """What the kernel says of it."""

    def test_no_back_end_is_ever_connected_to(self) -> None:
        trace = self.arena.dir / "trace"
        vufd = bed.Vufd(self.arena, globs=globs(self.arena), wrapper=(
            "strace", "-f", "--seccomp-bpf", "-e", "trace=connect", "-s", "200", "-o", str(trace)))
        subject = Subject.start(self.arena, vufd, "1.14")
        look_round(self.arena, vufd, [subject])
        share = subject.busy.share
        fresh = self.back_end("fresh", share=share)
        there = bed.Vm(self.arena, "there", [bed.Fs("share0", fresh)], subject.guest.options, incoming=True)
        done = vufd.json("migrate", f"vm-{subject.label}", f"--to={there.monitor}", "--watch")
        self.assertEqual(done["state"], "STATE_SUCCEEDED", done)
        connected = set(_CONNECT.findall(trace.read_text()))
        # The trace is not just empty.
        self.assertLessEqual({subject.guest.monitor, there.monitor}, connected)
        # What is left is looked at one by one: nothing that is a back-end's, whatever it is called.
        self.assertEqual({path for path in connected if not path.endswith(".qmp")} - {vufd.socket}, set())
        self.assertTrue(subject.idle.alive())


if __name__ == "__main__":
    unittest.main()
