"""Every verdict on the real bed can be explained, and computed again from its record."""

from __future__ import annotations

import json
import unittest
from typing import Any

import bed
from world import REFUSED, World


class DecisionsTest(World):
    """Records of evaluations and migrations, before and after a crash."""

    def _decisions(self) -> list[dict[str, Any]]:
        return self.vufd.json("decisions", "list", "--vm=guest")["decisions"]

    def _assert_agrees(self, name: str) -> None:
        replay = self.vufd.json("replay", name, statuses=(0, REFUSED))
        self.assertTrue(replay["agrees"], replay)
        self.assertTrue(replay["same_rules"], replay)

    def test_every_record_agrees_also_after_a_crash(self) -> None:
        source = self.source()
        source.wait_n(50)
        destination = self.destination()
        refused = self.evaluate(None)
        self.assert_refused(refused)
        allowed = self.evaluate(destination)
        self.assert_allowed(allowed)
        migration = self.migrate(destination)
        self.assert_moved(migration, source, destination)

        found = self._decisions()
        triggers = [decision["trigger"].removeprefix("DECISION_TRIGGER_") for decision in found]
        self.assertEqual(triggers, ["SWITCHOVER", "CREATE_MIGRATION", "EVALUATE_MIGRATION", "EVALUATE_MIGRATION"])
        names = [decision["name"] for decision in found]
        self.assertEqual(names[1:], [migration["verdict"]["decision_record"], allowed["decision_record"],
                                     refused["decision_record"]])
        for name in names:
            self._assert_agrees(name)
        shown = self.vufd.run("decisions", "show", names[1])
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("calls itself vufctl/", shown.stdout)

        self.vufd.kill()
        self.vufd = self.start_vufd()
        # What the evaluations and the re-check had left to write was written long ago; that a
        # migration's decision is there needs no such luck.
        self.assertIn(names[1], [decision["name"] for decision in self._decisions()])
        for decision in self._decisions():
            self._assert_agrees(decision["name"])

    def test_the_decision_survives_a_crash_while_memory_is_copied(self) -> None:
        source = self.source()
        source.wait_n(50)
        destination = self.destination()
        name = self.start_migration(destination, "--max-bandwidth=1M")
        self.await_state(name, ("STATE_TRANSFERRING",))
        record = self.migration(name)["verdict"]["decision_record"]
        self.vufd.kill()
        self.vufd = self.start_vufd()
        decision = self.vufd.json("decisions", "show", record)
        self.assertEqual(decision["migration"], name)
        self._assert_agrees(record)

    def _triggers(self) -> list[str]:
        """Of all records, oldest first, after each was computed again."""
        found = self._decisions()
        for decision in found:
            self._assert_agrees(decision["name"])
        return [decision["trigger"].removeprefix("DECISION_TRIGGER_") for decision in reversed(found)]

    def test_a_keepers_permit_is_part_of_the_recheck(self) -> None:
        keeper = self.keeper()
        source = self.source([keeper])
        source.wait_n(50)
        there = self.destination([keeper])
        # Slowly: within a second the decision is the last look.
        self.assert_moved(self.migrate(there, "--mode=stateless", "--max-bandwidth=8M"), source, there)
        self.assertEqual(self._triggers(), ["CREATE_MIGRATION", "SWITCHOVER"])
        recheck = self.vufd.json("decisions", "show", self._decisions()[0]["name"])
        self.assertEqual([permit["device"] for permit in recheck["permits"]], ["fs0"])

    def test_a_destination_of_a_guest_in_a_file(self) -> None:
        keeper = self.keeper()
        source = self.source([keeper])
        source.wait_n(50)
        name = self.vufd.json("upgrade", "guest", f"--to={self.arena.path('dst.vufd.qmp')}", "--sequential",
                              f"--state-file={self.arena.path('guest-state')}")["name"]
        self.await_state(name, ("STATE_AWAITING_DESTINATION",))
        bed.wait_for("the source to quit", lambda: not source.alive(), 20)
        there = self.destination([keeper])
        self.assert_moved(self.await_state(name), source, there)
        # Between them a look, if saving took longer than a second.
        self.assertEqual([one for one in self._triggers() if one != "SWITCHOVER"],
                         ["CREATE_MIGRATION", "DESTINATION"])

    def test_an_export_replays_without_vufd_and_shows_what_was_changed(self) -> None:
        self.source()
        verdict = self.evaluate(self.destination())
        self.assert_allowed(verdict)
        exported = self.vufd.run("decisions", "export", verdict["decision_record"])
        self.assertEqual(exported.returncode, 0, exported.stderr)
        path = self.arena.dir / "decision.json"
        path.write_text(exported.stdout)
        self.vufd.kill()
        self.assertEqual(self.vufd.run("replay", f"--file={path}").returncode, 0)
        record = json.loads(exported.stdout)
        record["verdict"]["mode"] = "MIGRATION_MODE_STATELESS"
        record["evidence_digest"] = "0" * 64
        path.write_text(json.dumps(record))
        replay = self.vufd.run("replay", f"--file={path}")
        self.assertEqual(replay.returncode, REFUSED, replay.stderr)
        self.assertIn("evidence_digest does not match", replay.stdout)
        self.assertIn("MIGRATION_MODE_STATELESS", replay.stdout)


if __name__ == "__main__":
    unittest.main()
