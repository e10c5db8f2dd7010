# Sourced by the tools: Bazel with a cache that outlives a clone and a configuration.
# shellcheck shell=bash

BAZEL_CACHE=${VUFD_BAZEL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vufd-bazel}

# run_bazel COMMAND ARGUMENT...
run_bazel() {
  local command=$1
  shift
  bazel "$command" --disk_cache="$BAZEL_CACHE" --noshow_progress "$@"
}
