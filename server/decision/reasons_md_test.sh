#!/bin/sh
# docs/reasons.md says what the rules say.
set -eu
if ! "$1" | diff -u "$2" -; then
  echo "docs/reasons.md is out of date; regenerate it:" >&2
  echo "  bazel run //server/decision:reasons_md > docs/reasons.md" >&2
  exit 1
fi
for code in $("$1" | sed -n 's/^### //p' | sort | uniq -d); do
  echo "$code is described twice" >&2
  exit 1
done
