#!/usr/bin/env python3
"""Counts the test cases of one `bazel test` from its build event file.

Prints "PASSED FAILED", then for every program that failed its name, its failed cases and the end of
its log. A test program that failed without naming a failed case (a crash, a
time-out) counts as one failed case, so that it is never a missing number. No test at all is a
failure too.

usage: count_tests.py BUILD_EVENT_JSON_FILE
"""
import json
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree


# Enough for a message of gtest and a stack of a sanitizer.
LOG_LINES = 60


def output_of(result: dict, name: str) -> str:
    """The path of an output of one testResult event, empty when there is none."""
    for output in result.get("testActionOutput", []):
        if output.get("name") == name:
            return urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path)
    return ""


def cases_of(result: dict) -> tuple[int, list[str]]:
    """The number of passed cases and the names of the failed ones of one testResult event."""
    passed, failed = 0, []
    try:
        root = ElementTree.parse(output_of(result, "test.xml"))
        for case in root.iter("testcase"):
            if case.find("failure") is None and case.find("error") is None:
                passed += 1
            else:
                failed.append(f"{case.get('classname')}.{case.get('name')}")
    except (OSError, ElementTree.ParseError):
        pass
    if result.get("status") != "PASSED" and not failed:
        failed.append(result.get("status", "no status"))
    return passed, failed


def end_of_log(result: dict) -> str:
    try:
        with open(output_of(result, "test.log"), encoding="utf-8", errors="replace") as log:
            return "".join(f"    {line}" for line in log.readlines()[-LOG_LINES:])
    except OSError as error:
        return f"    (no log: {error})\n"


def main() -> None:
    passed, failed, report = 0, 0, ""
    with open(sys.argv[1], encoding="utf-8") as events:
        for line in events:
            event = json.loads(line)
            if "testResult" not in event:
                continue
            good, bad = cases_of(event["testResult"])
            passed, failed = passed + good, failed + len(bad)
            if bad:
                report += f"{event['id']['testResult']['label']}: {', '.join(bad)}\n{end_of_log(event['testResult'])}"
    if passed + failed == 0:
        failed, report = 1, "no test ran\n"
    print(f"{passed} {failed}\n{report}", end="")


if __name__ == "__main__":
    main()
