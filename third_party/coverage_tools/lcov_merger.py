#!/usr/bin/env python3
"""Offline stand-in for Bazel's coverage_output_generator (C++/gcov only).

As lcov_merger it turns the gcov JSON of one test into LCOV; as
coverage_report_generator it merges the LCOV of all tests.
"""
import collections
import glob
import gzip
import json
import os
import re
import sys


def main():
    opts = collections.defaultdict(list)
    for arg in sys.argv[1:]:
        key, _, value = arg.lstrip("-").partition("=")
        opts[key].append(value)
    filters = [re.compile(f) for f in opts["filter_sources"]]
    lines = collections.defaultdict(collections.Counter)
    functions = collections.defaultdict(dict)

    if "coverage_dir" in opts:
        for path in glob.glob(os.path.join(opts["coverage_dir"][0], "**", "*.gcov.json.gz"), recursive=True):
            with gzip.open(path, "rt") as f:
                data = json.load(f)
            for src in data["files"]:
                name = src["file"]
                if name.startswith(("/", "bazel-out/", "external/")) or any(r.fullmatch(name) for r in filters):
                    continue
                for line in src["lines"]:
                    lines[name][line["line_number"]] += line["count"]
                for fn in src["functions"]:
                    old = functions[name].get(fn["name"], (fn["start_line"], 0))
                    functions[name][fn["name"]] = (old[0], old[1] + fn["execution_count"])

    if "reports_file" in opts:
        with open(opts["reports_file"][0]) as f:
            reports = f.read().split()
        for report in reports:
            name = None
            if not os.path.exists(report):
                continue
            with open(report) as f:
                for row in f:
                    kind, _, rest = row.strip().partition(":")
                    if kind == "SF":
                        name = rest
                    elif kind == "DA":
                        number, count = rest.split(",")[:2]
                        lines[name][int(number)] += int(count)
                    elif kind == "FN":
                        start, fn = rest.split(",", 1)
                        functions[name].setdefault(fn, (int(start), 0))
                    elif kind == "FNDA":
                        count, fn = rest.split(",", 1)
                        old = functions[name].get(fn, (0, 0))
                        functions[name][fn] = (old[0], old[1] + int(count))

    with open(opts["output_file"][0], "w") as out:
        for name in sorted(lines):
            out.write("SF:%s\n" % name)
            for fn, (start, _) in sorted(functions[name].items()):
                out.write("FN:%d,%s\n" % (start, fn))
            for fn, (_, count) in sorted(functions[name].items()):
                out.write("FNDA:%d,%s\n" % (count, fn))
            for number, count in sorted(lines[name].items()):
                out.write("DA:%d,%d\n" % (number, count))
            out.write("LH:%d\nLF:%d\nend_of_record\n" % (sum(1 for c in lines[name].values() if c), len(lines[name])))


if __name__ == "__main__":
    main()
