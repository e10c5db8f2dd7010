"""The status page in a real browser, while a real VM is judged and moved."""

from __future__ import annotations

import unittest
import urllib.error
import urllib.request

import bed
from bed.browser import Browser
from bed.prometheus import free_port
from world import World


class StatusPageTest(World):
    """One agent, one VM, one window."""

    def setUp(self) -> None:
        self.port = free_port()
        super().setUp()
        self.browser = Browser(self.arena)

    def start_vufd(self) -> bed.Vufd:
        return bed.Vufd(self.arena, extra=f'http_address: "127.0.0.1:{self.port}"\n')

    def open(self) -> None:
        """Shows the page."""
        self.browser.open(f"http://127.0.0.1:{self.port}/")

    def await_text(self, words: str) -> None:
        """The window shows it by itself."""
        bed.wait_for(f"the page to say {words!r}", lambda: words in self.browser.text(), 60, self.browser.text)

    def test_it_follows_what_happens(self) -> None:
        source = self.source()
        source.wait_n(20)
        self.open()
        self.await_text("READY")
        self.assertRegex(self.browser.text(), r"guest\s.*never asked")
        destination = self.destination()
        self.evaluate(destination)
        self.await_text("allowed, STATEFUL")
        self.assert_moved(self.migrate(destination), source, destination)
        self.await_text("SUCCEEDED")
        self.await_text(destination.monitor)
        self.assertEqual(self.browser.complaints(), [])
        self.vufd.kill()
        self.await_text("this is how it was")
        self.assertIn("SUCCEEDED", self.browser.text())

    def test_it_needs_no_script(self) -> None:
        self.browser.forbid_scripts()
        self.open()
        self.await_text("READY")
        self.assertNotIn("never asked", self.browser.text())
        self.source()
        self.await_text("never asked")

    def test_a_name_that_leads_here_is_refused(self) -> None:
        """A page of somebody else, whose name was made to point at this host, cannot read it."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", headers={"Host": "elsewhere.example"})
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        self.assertEqual(refused.exception.code, 421)


if __name__ == "__main__":
    unittest.main()
