#!/usr/bin/env bash
# clang-tidy on one file. Its chatter about suppressed warnings of system headers is left out.
# tidy_one.sh PLUGIN FILE
set -uo pipefail
# The analyzer gives a function up after that many states; by default after 225,000, which takes twice the time
# over all. It must be many times what a function of 40 lines has.
output=$(clang-tidy --quiet --load="$1" --checks=vufd-own-code -p . \
  --extra-arg={-Xclang,-analyzer-config,-Xclang,max-nodes=30000} "$2" 2>/dev/null) && exit 0
printf '%s\n' "$output"
exit 1
