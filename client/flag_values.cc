// Flags' values: text to durations, sizes, counts and labels.
#include <cstdint>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/args.h"

namespace vuf::cli {
namespace {

absl::Status BadValue(const std::string& flag, absl::string_view value, absl::string_view want) {
  return UsageError(absl::StrCat("--", flag, "=", value, ": want ", want));
}

}  // namespace

absl::StatusOr<absl::Duration> DurationFlag(const ParsedArgs& args, const std::string& flag,
                                            absl::Duration if_absent) {
  if (!args.Has(flag)) return if_absent;
  absl::Duration duration;
  const std::string value = args.Get(flag);
  if (!absl::ParseDuration(value, &duration) || duration <= absl::ZeroDuration() ||
      duration > absl::Hours(24)) {
    return BadValue(flag, value, "a time above 0 and up to 24h with its unit, e.g. 300ms, 10s, 5m");
  }
  return duration;
}

absl::StatusOr<uint64_t> SizeFlag(const ParsedArgs& args, const std::string& flag) {
  if (!args.Has(flag)) return 0;
  const std::string value = args.Get(flag);
  absl::string_view digits = value;
  int shift = 0;
  for (const auto& [suffix, bits] : {std::pair("K", 10), {"M", 20}, {"G", 30}}) {
    if (!absl::EndsWithIgnoreCase(digits, suffix)) continue;
    digits.remove_suffix(1);
    shift = bits;
    break;
  }
  uint64_t number = 0;
  if (!absl::SimpleAtoi(digits, &number) || number == 0 ||
      number > (std::numeric_limits<uint64_t>::max() >> shift)) {
    return BadValue(flag, value, "bytes as a whole number above 0, with K, M or G if you like");
  }
  return number << shift;
}

absl::StatusOr<int> CountFlag(const ParsedArgs& args, const std::string& flag, int if_absent) {
  if (!args.Has(flag)) return if_absent;
  int count = 0;
  if (!absl::SimpleAtoi(args.Get(flag), &count) || count < 1) {
    return BadValue(flag, args.Get(flag), "a whole number above 0");
  }
  return count;
}

absl::StatusOr<std::map<std::string, std::string>> LabelFlags(const ParsedArgs& args,
                                                              const std::string& flag) {
  std::map<std::string, std::string> labels;
  const auto found = args.flags.find(flag);
  if (found == args.flags.end()) return labels;
  for (const std::string& label : found->second) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(label, absl::MaxSplits('=', 1));
    if (pair.first.empty() || !absl::StrContains(label, "=")) {
      return BadValue(flag, label, "KEY=VALUE");
    }
    if (!labels.insert(pair).second) {
      return UsageError(absl::StrCat("--", flag, "=", label, ": this key is given twice"));
    }
  }
  return labels;
}

}  // namespace vuf::cli
