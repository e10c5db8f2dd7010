#!/bin/sh
# Writes the table of all rules: every VUFD_RULE(CODE) at the beginning of a line in the given files,
# whose directory is its family.
set -eu
LC_ALL=C
export LC_ALL

rules=$(for file in "$@"; do
  family=$(basename "$(dirname "$file")")
  sed -n "s/^VUFD_RULE(\([A-Z0-9_]*\)).*/\1 $family/p" "$file"
done | sort)

cat <<'HEAD'
// Written by rule_list.sh.
#include "server/decision/rule.h"

namespace vuf {

HEAD
echo "$rules" | while read -r code family; do
  echo "extern const Rule rule_$code;"
done
cat <<'MIDDLE'

namespace {

constexpr RegisteredRule kRules[] = {
MIDDLE
echo "$rules" | while read -r code family; do
  echo "    {\"$code\", \"$family\", &rule_$code},"
done
cat <<'TAIL'
};

}  // namespace

absl::Span<const RegisteredRule> AllRules() { return kRules; }

}  // namespace vuf
TAIL
