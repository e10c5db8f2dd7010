#!/usr/bin/env python3
"""Counts the test cases of one `bazel test` from its build event file.

Prints "PASSED FAILED". A test program that failed without naming a failed case (a crash, a
time-out) counts as one failed case, so that it is never a missing number. No test at all is a
failure too.

usage: count_tests.py BUILD_EVENT_JSON_FILE
"""
import json
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree


def cases_of(result: dict) -> tuple[int, int]:
    """(passed, failed) of one testResult event."""
    passed = failed = 0
    for output in result.get("testActionOutput", []):
        if output.get("name") != "test.xml":
            continue
        try:
            root = ElementTree.parse(urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path))
        except (OSError, ElementTree.ParseError):
            continue
        for case in root.iter("testcase"):
            bad = case.find("failure") is not None or case.find("error") is not None
            passed, failed = passed + (not bad), failed + bad
    if result.get("status") != "PASSED":
        failed = max(failed, 1)
    return passed, failed


def main() -> None:
    passed = failed = 0
    with open(sys.argv[1], encoding="utf-8") as events:
        for line in events:
            event = json.loads(line)
            if "testResult" in event:
                good, bad = cases_of(event["testResult"])
                passed, failed = passed + good, failed + bad
    if passed + failed == 0:
        failed = 1
    print(passed, failed)


if __name__ == "__main__":
    main()
