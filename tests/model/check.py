#!/usr/bin/env python3
"""Checks the models of the migration protocol, and that code, documentation and models have the same steps.

    check.py             everything, in less than a minute
    check.py --faults=N  two hosts with N faults instead of 3 (5 takes several minutes and 4 GiB)
    check.py --table     prints the table for docs/migration-protocol.md

A model is right when nothing that spin can reach breaks one of its properties, and no run goes on for ever. A model
that cannot fail says nothing, so for every property there is a planted defect that must break it.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass

HERE = pathlib.Path(__file__).absolute().parent
ROOT = HERE.parent.parent
TRANSITIONS = ROOT / "server/migration/transitions.inc"
DOCUMENT = ROOT / "docs/migration-protocol.md"

# Steps of the table that the model does not make, with the reason.
NOT_MODELLED = {
    ("AWAITING_DESTINATION", "INTERRUPTED"): "the store has lost a record",
    ("UNSPECIFIED", "QUEUED"): "the queue is in front of the protocol, which begins with EVALUATING",
    ("QUEUED", "EVALUATING"): "as before",
    ("QUEUED", "FAILED"): "as before",
    ("QUEUED", "CANCELLED"): "as before",
}


@dataclass(frozen=True)
class Case:
    """One run of spin."""

    model: str
    defines: tuple[str, ...] = ()
    # The property that must break. None: none may.
    breaks: str | None = None

    def name(self) -> str:
        return " ".join((self.model, *self.defines))


def cases(faults: int) -> list[Case]:
    one = "one_host"
    two = "two_hosts"
    return [
        Case(two, (f"FAULTS={faults}",)),
        *(Case(one, (f"FORM={form}",)) for form in range(3)),
        Case(one, ("FORM=0", "BUG_RESUME_AFTER_COMMIT"), "never_two_run"),
        Case(one, ("FORM=1", "BUG_LOOK_TOO_EARLY"), "one_runs"),
        Case(one, ("FORM=1", "BUG_ONLY_IN_FORCE"), "one_runs"),
        Case(one, ("FORM=1", "BUG_SOURCE_MUST_ANSWER"), "one_runs"),
        Case(one, ("FORM=1", "BUG_NO_DISARM"), "no_permit_left"),
        Case(one, ("FORM=0", "BUG_NO_SETTINGS_BACK"), "no_capability_left"),
        Case(one, ("FORM=1", "BUG_RESUME_FENCED"), "has_its_file_system"),
        Case(one, ("FORM=0", "BUG_CANCEL_WHILE_SETTLING"), "in_the_table"),
        Case(one, ("FORM=0", "BUG_WAIT_FOR_ONE_EVENT"), "ends"),
        Case(one, ("FORM=0", "BUG_START_FOREVER"), "terminates"),
        Case(two, ("FAULTS=2", "BUG_RESUME_AFTER_COMMIT"), "never_two_run"),
        Case(two, ("FAULTS=2", "BUG_COMMIT_BEFORE_JOURNAL"), "never_two_run"),
        Case(two, ("FAULTS=2", "BUG_RUN_ON_PROMISE"), "never_two_run"),
        Case(two, ("FAULTS=2", "BUG_LEASE_FREES_PROMISED"), "promise_is_kept"),
        Case(two, ("FAULTS=2", "BUG_UNDECIDED_IS_ABORTED"), "promise_is_kept"),
        Case(two, ("FAULTS=2", "BUG_COMMIT_ANYWAY"), "one_runs"),
        Case(two, ("FAULTS=2", "BUG_NO_DISARM"), "no_permit_left"),
        Case(two, ("FAULTS=2", "BUG_COMMIT_ONCE"), "ends"),
        Case(two, ("FAULTS=2", "BUG_ABORT_ONCE", "BUG_NO_QUERY"), "ends"),
        Case(two, ("FAULTS=2", "BUG_RESEND_BLINDLY"), "terminates"),
        Case(two, ("FAULTS=2", "BUG_NO_TIME_OUT"), "terminates"),
    ]


def run_spin(case: Case, directory: pathlib.Path, cycles: bool) -> str:
    """What the verifier printed."""
    flags = [f"-D{define}" for define in case.defines]
    subprocess.run(["spin", *flags, "-a", str(HERE / f"{case.model}.pml")], cwd=directory, check=True,
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    kind = "-DNP" if cycles else "-DSAFETY"
    # Most of a small search is the compiler.
    speed = "-O0" if case.breaks else "-O1"
    subprocess.run(["gcc", speed, "-w", kind, "-DNOREDUCE", "-DMEMLIM=6000", "-o", "pan", "pan.c"], cwd=directory,
                   check=True)
    # -E: where every process waits is judged by AtRest. -A: assertions are the other run's.
    # -c0: to the end, for a planted defect may break more than one.
    how = ["-l", "-E", "-A"] if cycles else ["-E", "-c0"]
    return subprocess.run(["./pan", "-m100000", *how], cwd=directory, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


def broken(case: Case) -> set[str]:
    """The properties that do not hold."""
    found: set[str] = set()
    for cycles in (False, True):
        # A planted defect needs only the run that finds it.
        if case.breaks is not None and cycles != (case.breaks == "terminates"):
            continue
        with tempfile.TemporaryDirectory() as directory:
            output = run_spin(case, pathlib.Path(directory), cycles)
        errors = re.search(r"errors: (\d+)", output)
        if errors is None or "max search depth too small" in output or "out of memory" in output:
            raise RuntimeError(f"{case.name()}: the search did not end:\n{output}")
        violated = set(re.findall(r"assertion violated \(*(\w+)", output))
        found |= violated or ({"terminates"} if errors[1] != "0" else set())
        states = re.search(r"([\d.e+]+) states, stored", output)
        print(f"  {case.name()}{' (cycles)' if cycles else ''}: {states[1] if states else '?'} states", flush=True)
    return found


def check_case(case: Case) -> str:
    found = broken(case)
    if (case.breaks in found) if case.breaks else not found:
        return ""
    return f"{case.name()}: breaks {', '.join(sorted(found)) or 'nothing'} instead of {case.breaks or 'nothing'}"


def table() -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The lines for a migration (from, to, who, kept, when) and for a reservation (from, to, when)."""
    text = TRANSITIONS.read_text()
    migration = re.findall(r'^MIGRATION_TRANSITION\((\w+), (\w+), ([\w| ]+), (\w+), "(.*)"\)$', text, re.M)
    reservation = re.findall(r'^RESERVATION_TRANSITION\((\w+), (\w+), "(.*)"\)$', text, re.M)
    written = len(re.findall(r"^\w+_TRANSITION\(", text, re.M))
    if written != len(migration) + len(reservation):
        raise RuntimeError(f"{TRANSITIONS}: a line of the table has another form")
    return migration, reservation


def steps(model: str, macro: str) -> set[tuple[str, ...]]:
    text = "".join((HERE / f"{model}{part}.pml").read_text() for part in ("", "_world"))
    return {pair for pair in re.findall(rf"\b{macro}\((\w+), (\w+)\)", text) if pair != ("from", "to")}


def check_steps() -> list[str]:
    """The models make the steps of the table, and no others."""
    migration, reservation = table()
    wrong = []

    def compare(what: str, in_model: set[tuple[str, ...]], in_table: set[tuple[str, ...]], all_of_them: bool) -> None:
        for pair in sorted(in_model - in_table):
            wrong.append(f"{what}: {' -> '.join(pair)} is not in the table")
        for pair in sorted(in_table - in_model - set(NOT_MODELLED)) if all_of_them else ():
            wrong.append(f"{what}: {' -> '.join(pair)} is in the table, but not in the model")

    for macro, kept in (("WRITTEN", "kWritten"), ("SHOWN", "kShown")):
        rows = {(row[0], row[1]) for row in migration if row[3] == kept}
        compare(f"one_host {macro}", steps("one_host", macro), rows, True)
        compare(f"two_hosts {macro}", steps("two_hosts", macro), rows, False)
    compare("two_hosts RESERVATION", steps("two_hosts", "RESERVATION"), {row[:2] for row in reservation}, True)
    return wrong


WHO = {"kCreate": "a caller", "kCancel": "a caller", "kRun": "the run", "kLoad": "the load", "kSettle": "the restart",
       "kRemote": "the run to another host", "kQueue": "the queue"}


def markdown() -> str:
    migration, reservation = table()
    lines = ["| from | to | by | when |", "|---|---|---|---|"]
    for begin, end, who, kept, when in migration:
        by = ", ".join(WHO[one] for one in who.split(" | "))
        shown = " (shown, not written)" if kept == "kShown" else ""
        lines.append(f"| {begin} | {end}{shown} | {by} | {when} |".replace("UNSPECIFIED", "-").replace('\\"', '"'))
    lines += ["", "| from | to | when |", "|---|---|---|"]
    for row in reservation:
        lines.append(f"| {' | '.join(row)} |".replace("UNSPECIFIED", "-").replace('\\"', '"'))
    return "\n".join(lines) + "\n"


def check_document() -> list[str]:
    parts = DOCUMENT.read_text().split("<!-- table -->\n")
    if len(parts) == 3 and parts[1] == markdown():
        return []
    return [f"{DOCUMENT.name} does not have the table of {TRANSITIONS.name}: put in what `{sys.argv[0]} --table` prints"]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=3)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        print(markdown(), end="")
        return 0
    wrong = check_steps() + check_document()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        wrong += filter(None, pool.map(check_case, cases(arguments.faults)))
    for line in wrong:
        print(f"WRONG: {line}")
    print("the models hold" if not wrong else f"{len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
