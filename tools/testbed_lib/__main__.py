"""Command line of the test bed; tools/testbed starts it after it installed the host helpers."""

from __future__ import annotations

import argparse
import fcntl
import os
import pathlib
import shutil
import sys
import time

from testbed_lib import build
from testbed_lib.common import BedError, read_json, say

_ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_MARKER = ".vufd-testbed"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/testbed")
    parser.add_argument("command", choices=("up", "status", "down"))
    parser.add_argument("dir", nargs="?", default=os.environ.get("VUFD_TESTBED_DIR") or str(_ROOT / ".testbed"))
    parser.add_argument("--refresh", action="store_true")
    return parser.parse_args()


def _claim(bed: pathlib.Path) -> None:
    """Makes the directory ours, or refuses one that holds something else."""
    if bed.exists() and not (bed / _MARKER).exists() and any(bed.iterdir()):
        raise BedError(f"{bed} exists, is not empty and is not a test bed: give another DIR")
    bed.mkdir(parents=True, exist_ok=True)
    (bed / _MARKER).touch()
    (bed / ".gitignore").write_text("*\n")


def _up(bed: pathlib.Path, refresh: bool) -> None:
    started = time.monotonic()
    _claim(bed)
    with open(bed / _MARKER, "wb") as lock:
        # Two test runs may bring the bed up at once: the second waits, then finds it complete.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not refresh and build.is_current(bed):
            say(f"{bed} is up")
            return
        build.build(bed)
    _status(bed)
    say(f"up in {time.monotonic() - started:.0f} s")


def _status(bed: pathlib.Path) -> None:
    manifest = read_json(bed / build.MANIFEST)
    if manifest is None:
        raise BedError(f"no complete test bed in {bed}: run `tools/testbed up`")
    print(f"bed        {bed}" + ("" if build.is_current(bed) else "   (out of date: run `tools/testbed up`)"))
    for part in ("qemu", "virtiofsd"):
        for role, entry in sorted(manifest[part].items(), key=lambda item: item[1]["version"]):
            print(f"{part:<10} {role:<5} {entry['version']:<9} {entry['suite']:<9} {entry['package_version']}")
    print(f"kernel     {manifest['kernel_version']}")
    print(f"accel      {manifest['accel']} (guest up in {manifest['boot_seconds']} s)")
    print(f"sandbox    {manifest['sandbox']}")


def _down(bed: pathlib.Path) -> None:
    if not bed.exists():
        say(f"{bed} does not exist")
        return
    if not (bed / _MARKER).exists():
        raise BedError(f"{bed} is not a test bed (it has no {_MARKER}): not removing it")
    shutil.rmtree(bed)
    say(f"removed {bed}")


def main() -> int:
    """Runs one command; the exit status is 0 only when it did all it should."""
    args = _parse()
    bed = pathlib.Path(args.dir).resolve()
    try:
        if args.command == "up":
            _up(bed, args.refresh)
        elif args.command == "status":
            _status(bed)
        else:
            _down(bed)
    except BedError as error:
        print(f"testbed: ERROR: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


sys.exit(main())
