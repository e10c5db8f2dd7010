#!/usr/bin/env python3
"""Writes compile_commands.json for the workspace from `bazel aquery` (no downloads)."""
import json
import os
import subprocess
import sys


def bazel(*args):
    return subprocess.run(["bazel", *args], check=True, stdout=subprocess.PIPE, text=True).stdout


def main():
    root = bazel("info", "workspace").strip()
    execroot = bazel("info", "execution_root").strip()
    graph = json.loads(bazel("aquery", "mnemonic(CppCompile, //...)", "--output=jsonproto",
                             "--ui_event_filters=-info", "--noshow_progress", *sys.argv[1:]))
    seen, entries = set(), []
    for action in graph["actions"]:
        args = action["arguments"]
        src = args[args.index("-c") + 1]
        if src in seen:
            continue
        seen.add(src)
        # Sources are in the workspace; generated files and bazel-out are in the execroot.
        directory = execroot if src.startswith("bazel-out/") else root
        out = []
        for a in args:
            if a in ("-fno-canonical-system-headers", "-Wno-free-nonheap-object"):
                continue  # gcc only; clangd and clang-tidy refuse them
            if a.startswith("bazel-out/") or a.startswith("external/"):
                a = os.path.join(execroot, a)
            out.append(a)
        entries.append({"directory": directory, "file": src, "arguments": out})
    with open(os.path.join(root, "compile_commands.json"), "w") as f:
        json.dump(entries, f, indent=1)
    print("wrote %d entries" % len(entries))


if __name__ == "__main__":
    main()
