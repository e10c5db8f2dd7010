#!/usr/bin/env bash
# usage: fuzz_one.sh SCRATCH_DIRECTORY NAME   A short run of a fuzzer that is built; its output and,
# when it finds something, the input go to the directory. Its status stands in NAME.status.
set -uo pipefail
scratch=$1 name=$2
program=$PWD/bazel-bin/tests/fuzz/${name}_fuzz
kept=()
[[ ! -d tests/fuzz/corpus/$name ]] || kept=("$PWD/tests/fuzz/corpus/$name")
mkdir -p "$scratch/$name" && cd "$scratch" || exit
"$program" -verbosity=0 -print_final_stats=1 -max_len=8192 -seed="${VUFD_FUZZ_SEED:-1}" \
  -max_total_time="${VUFD_FUZZ_SECONDS:-10}" "$name" "${kept[@]}" >"$name.fuzz" 2>&1
echo "$?" >"$name.status"
