"""The client library's example schedules a real VM."""

from __future__ import annotations

import subprocess
import unittest

from bed.programs import built_program
from world import World


class SchedulerTest(World):
    """client/examples/scheduler."""

    def _schedule(self, *candidates: str) -> subprocess.CompletedProcess[str]:
        program = built_program("VUF_SCHEDULER_BIN", "bazel-bin/client/examples/scheduler")
        return subprocess.run([program, self.vufd.server, "guest", *candidates], capture_output=True, text=True,
                              timeout=120, check=False)

    def test_the_first_that_will_do(self) -> None:
        source = self.source()
        source.wait_n(20)
        wrong = self.vm("wrong", [self.back_end("wrong-fs", share=self.arena.share("other"))], incoming=True)
        destination = self.destination()
        done = self._schedule(wrong.monitor, destination.monitor)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{wrong.monitor} will not do:\n", done.stdout)
        self.assertRegex(done.stdout, r"\n  [A-Z_]+: .+")
        name = self.vufd.json("migrations", "list")["migrations"][0]["name"]
        self.assert_moved(self.migration(name), source, destination)
        self.assertEqual(wrong.qmp.status(), "inmigrate")

    def test_none_will_do(self) -> None:
        source = self.source()
        done = self._schedule(self.arena.path("nobody.qmp"))
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("no candidate will do\n", done.stdout)
        self.assert_untouched(source)

    def test_no_agent(self) -> None:
        self.vufd.stop()
        done = self._schedule(self.arena.path("nobody.qmp"))
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("UNAVAILABLE", done.stderr)


if __name__ == "__main__":
    unittest.main()
