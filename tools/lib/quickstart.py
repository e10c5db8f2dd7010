"""The part of tools/quickstart that shows vufd at work on the test bed."""

from __future__ import annotations

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "e2e"))

import bed  # noqa: E402

_SPARE_TAG = "share0"


def say(text: str) -> None:
    """A line of explanation between the commands."""
    print(f"\n# {text}", flush=True)


def show(vufd: bed.Vufd, arena: bed.Arena, *arguments: str) -> int:
    """Runs vufctl and prints the command and its output as a person would see them."""
    print(("$ vufctl " + " ".join(arguments)).replace(f"{arena.dir}/", ""), flush=True)
    done = subprocess.run(vufd.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    output = done.stdout.replace(f"{arena.dir}/", "").rstrip()
    print(output + (f"\n(exit status {done.returncode})" if done.returncode else ""), flush=True)
    return done.returncode


def incoming(arena: bed.Arena, name: str, back_end: bed.BackEnd) -> bed.Vm:
    """A destination QEMU that waits for the guest."""
    return bed.Vm(arena, name, [bed.Fs(_SPARE_TAG, back_end)], incoming=True)


def report(migrated: bed.Vm, before: bed.Beat, share: str) -> None:
    """What the guest itself says about its files, and what the host sees of them."""
    beat = migrated.wait_n(before.least_n() + 200)
    state = beat.shares[_SPARE_TAG]
    chain = bed.check_chain(share)
    print(f"guest, before: {before.shares[_SPARE_TAG].n} records written and read back")
    print(f"guest, now:    {state.n} records, {state.unlinked} checks of its unlinked-open file, {state.listings} "
          f"directory listings, {state.full} verifications of all data; errors {state.err}, wrong data {state.bad}")
    print(f"host:          the file holds {chain.records} records in one unbroken chain of checksums"
          if not chain.bad else f"host:          DAMAGED: {chain.bad}")
    if state.err or state.bad or chain.bad or migrated.errors():
        raise SystemExit("quickstart: the guest's files did not survive")


def main() -> None:
    with bed.Arena() as arena:
        share, other = arena.share("data"), arena.share("other")
        say("A VM whose guest works on a virtiofs share, without a pause.")
        source = bed.Vm(arena, "vm", [bed.Fs(_SPARE_TAG, bed.BackEnd(arena, "vm-fs", share))])
        vufd = bed.Vufd(arena, globs=[f"{arena.dir}/*.vufd.qmp"])
        before = source.wait_n(100)
        show(vufd, arena, "doctor")
        say("vufd finds it by its monitor socket.")
        show(vufd, arena, "vms", "discover")
        name = vufd.json("vms", "list")["vms"][0]["name"].removeprefix("vms/")
        show(vufd, arena, "vms", "get", name)

        say("Two bad destinations: an old virtiofsd without device state, and another directory.")
        old = incoming(arena, "old", bed.BackEnd(arena, "old-fs", other, "c72"))
        wrong = incoming(arena, "wrong", bed.BackEnd(arena, "wrong-fs", other))
        for destination in (old, wrong):
            if show(vufd, arena, "evaluate", name, f"--to={destination.monitor}", "--mode=stateful") != 3:
                raise SystemExit("quickstart: an unsafe migration was not refused")

        say("A good one: its own virtiofsd 1.14 on the same directory. The guest works on while it moves.")
        good = incoming(arena, "good", bed.BackEnd(arena, "good-fs", share))
        if show(vufd, arena, "evaluate", name, f"--to={good.monitor}") != 0:
            raise SystemExit("quickstart: the safe migration was refused")
        before = source.wait_beat()
        if show(vufd, arena, "migrate", name, f"--to={good.monitor}", "--watch", "--source-after=quit") != 0:
            raise SystemExit("quickstart: the migration failed")
        say("What the guest says of its files, on the destination.")
        report(good, before, share)
        show(vufd, arena, "migrations", "list")
        vufd.stop()
    print("\nquickstart: done. `tools/test` runs all tests; docs/ and README.md say what to read next.")


if __name__ == "__main__":
    main()
