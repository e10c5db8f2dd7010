#!/bin/sh
# The decision stays a pure function: its sources include nothing but the model, Abseil without its
# clock and its locks, and the harmless part of the standard library; and it depends on no more.
set -eu
failed=0
complain() {
  echo "$1" >&2
  failed=1
}

checked=0
for file in "$@"; do
  case $file in
    */BUILD.bazel)
      # deps of the library itself; tests and tools may have more, and the table of rules has it.
      deps=$(awk '/name = "evaluation",/ { on = 1 } on && /^\)/ { exit }
                  on && /deps = \[/ { list = 1 } list { print } list && /\]/ { list = 0 }' "$file" |
        grep -o '"[^"]*"' | tr -d '"' | sort | tr '\n' ' ')
      [ "$deps" = "//server/model @system//:absl " ] ||
        complain "$file: //server/decision may depend on //server/model and @system//:absl only, has: $deps"
      continue
      ;;
  esac
  checked=$((checked + 1))
  # Names of headers hold no spaces, and a loop behind a pipe could not set variables here.
  # shellcheck disable=SC2013
  for header in $(sed -n 's/^ *# *include *["<]\([^">]*\)[">].*/\1/p' "$file"); do
    case $header in
      absl/synchronization/* | absl/time/clock.h | absl/flags/* | absl/random/*)
        complain "$file includes $header" ;;
      server/decision/* | server/model/* | absl/*) ;;
      algorithm | array | cstddef | cstdint | iterator | map | memory | optional | set | string | tuple | utility | vector) ;;
      # Of values that whoever computes them computes alike.
      atomic) [ "$file" = server/decision/fnv.h ] || complain "$file includes $header" ;;
      *) complain "$file includes $header" ;;
    esac
  done
done
[ "$checked" -gt 20 ] || complain "only $checked sources were looked at"
exit $failed
