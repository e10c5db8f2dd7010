"""What the tests of refusals share."""

from __future__ import annotations

import bed
from world import Server, World


class RefusalWorld(World):
    """One thing spoiled per test; the neighbour with nothing spoiled is in test_migrate."""

    def refuse(self, source: bed.Vm, destination: bed.Vm | str | None, *codes: str, flags: tuple[str, ...] = (),
               healthy: bool = True) -> None:
        """Evaluation names `codes`, and a migration is refused without a command to migrate."""
        self.assert_refused(self.evaluate(destination, *flags), *codes)
        if destination is not None:
            migration = self.migrate(destination, *flags)
            self.assertEqual(migration["state"], "STATE_REFUSED", migration)
            self.assert_refused(migration["verdict"], *codes)
        self.assert_untouched(source)
        if healthy:
            source.progress(20)
            source.assert_healthy()

    def booted(self, *back_ends: Server, **options: object) -> bed.Vm:
        """A source whose guest works on its files."""
        source = self.source(list(back_ends) or None, **options)
        source.wait_n(50)
        return source
