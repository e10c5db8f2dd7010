"""A back-end that dies or is replaced is noticed at once: nothing here waits for a discovery period."""

from __future__ import annotations

import time
import unittest
from collections.abc import Iterator
from typing import Any

import bed
from world import World

_AN_HOUR = 3600
# What is measured is a few milliseconds; a busy machine may take its time.
_AT_ONCE_SECONDS = 1.0
_SLOWLY = "--max-bandwidth=4M"


class BackEndExitTest(World):
    """vufd looks at its endpoints by itself only once an hour."""

    def start_vufd(self) -> bed.Vufd:
        return bed.Vufd(self.arena, period=_AN_HOUR, extra="log { level: LEVEL_DEBUG }\n")

    def register(self, name: str, back_end: bed.BackEnd) -> None:
        """Registers an endpoint that somebody serves."""
        endpoint = self.vufd.json("endpoints", "create", name, back_end.socket)
        self.assertIn(endpoint["state"], ("STATE_LISTENING", "STATE_IN_USE"), endpoint)

    def watch(self, endpoints: int) -> Iterator[dict[str, Any]]:
        """A watcher that has seen the present state."""
        messages = self.vufd.watch_endpoints(self.arena)
        for _ in range(endpoints):
            self.assertEqual(next(messages)["kind"], "KIND_PRESENT")
        self.assertEqual(next(messages)["kind"], "KIND_SYNCED")
        return messages

    def seconds_to_see(self, messages: Iterator[dict[str, Any]], back_end: bed.BackEnd, generation: int) -> float:
        """Kills the back-end; how long until the watcher was told."""
        began = time.monotonic()
        back_end.kill()
        took = None
        # The serving process of a virtiofsd may be a child of the one that remains a moment longer.
        while took is None:
            message = next(messages)
            if message["kind"] == "KIND_SYNCED":
                continue  # The client has opened its stream anew, as it does now and then.
            self.assertEqual(message["kind"], "KIND_UPDATED", message)
            if message["endpoint"]["state"] == "STATE_ABSENT":
                took = time.monotonic() - began
                self.assertGreaterEqual(int(message["endpoint"]["generation"]), generation, message)
        return took

    def test_a_watcher_sees_it_at_once(self) -> None:
        for role in ("1.14", "1.13", "c72"):
            with self.subTest(role):
                back_end = self.back_end(f"idle-{role}", role)
                self.register(f"e{role.replace('.', '-')}", back_end)
                messages = self.watch(len(self.vufd.json("endpoints", "list")["endpoints"]))
                took = self.seconds_to_see(messages, back_end, 2)
                print(f"{role}: seen after {1000 * took:.1f} ms")
                self.assertLess(took, _AT_ONCE_SECONDS)

    def test_one_that_a_guest_uses(self) -> None:
        back_end = self.back_end("src-fs")
        self.source([back_end]).wait_n(20)
        self.register("used", back_end)
        took = self.seconds_to_see(self.watch(1), back_end, 2)
        print(f"in use: seen after {1000 * took:.1f} ms")
        self.assertLess(took, _AT_ONCE_SECONDS)

    def test_its_successor_is_watched_as_well(self) -> None:
        first = self.back_end("idle")
        self.register("idle", first)
        messages = self.watch(1)
        self.seconds_to_see(messages, first, 2)
        second = bed.BackEnd(self.arena, "second", self.share, socket_path=first.socket)
        self.assertEqual(self.vufd.json("endpoints", "get", "idle")["generation"], "3")
        self.assertEqual(next(messages)["endpoint"]["state"], "STATE_LISTENING")
        self.assertLess(self.seconds_to_see(messages, second, 4), _AT_ONCE_SECONDS)

    def test_a_migration_to_it_ends_while_memory_is_copied(self) -> None:
        source = self.source()
        source.wait_n(50)
        back_end = self.back_end("dst-fs")
        destination = self.destination([back_end])
        self.register("dst", back_end)
        name = self.start_migration(destination, _SLOWLY)
        self.await_state(name, ("STATE_TRANSFERRING",))
        back_end.kill()
        migration = self.await_state(name, timeout=5)
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assertIn("endpoints/dst changed since the decision (its back-end, pid", migration["message"])
        self.assertIn("the source", migration["message"])
        self.assert_stayed(source)

    def test_a_migration_from_it_ends_while_memory_is_copied(self) -> None:
        back_end = self.back_end("src-fs")
        source = self.source([back_end], qemu="11.1")
        source.wait_n(50)
        destination = self.destination(qemu="11.1")
        self.register("src", back_end)
        name = self.start_migration(destination, _SLOWLY)
        self.await_state(name, ("STATE_TRANSFERRING",))
        back_end.kill()
        migration = self.await_state(name, timeout=10)
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assertIn("endpoints/src changed since the decision (its back-end, pid", migration["message"])
        # Its files are gone with the back-end, but the guest is where it was.
        self.assertEqual(source.qmp.status(), "running")
        self.assertNotEqual(destination.qmp.status(), "running")

    def test_one_that_is_not_registered_is_noticed_by_the_next_look(self) -> None:
        source = self.source()
        source.wait_n(50)
        back_end = self.back_end("dst-fs")
        destination = self.destination([back_end])
        name = self.start_migration(destination, "--max-bandwidth=16M")
        self.await_state(name, ("STATE_TRANSFERRING",))
        back_end.kill()
        migration = self.await_state(name)
        self.assertEqual(migration["state"], "STATE_FAILED", migration)
        self.assertIn("because this is not what was judged", migration["message"])
        self.assertIn("the back-end process of device fs0", migration["message"])
        self.assert_stayed(source)


if __name__ == "__main__":
    unittest.main()
