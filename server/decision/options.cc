#include "server/decision/options.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace vuf {
namespace {

constexpr char kNotGiven[] = "(not given)";

std::string ValueOr(const BackEndOptions& options, const std::string& name) {
  const auto it = options.find(name);
  return it == options.end() ? kNotGiven : it->second;
}

}  // namespace

std::optional<Option> NeedOption(const DeviceView& device, const std::string& name,
                                 Report& report) {
  const auto kind = report.Need(device, fact::kKind);
  if (!kind || *kind != BackEndKind::kVirtiofsd) return std::nullopt;
  const auto options = report.Need(device, fact::kOptions);
  if (!options) return std::nullopt;
  const auto it = options->find(name);
  if (it != options->end()) return Option{it->second, options.CiteAs(name, it->second)};
  const auto version = report.Need(device, fact::kVersion);
  if (!version) return std::nullopt;
  for (const OptionHistory& history : kVirtiofsdOptionHistory) {
    if (name == history.option && *version < history.since) {
      return Option{history.before, version.Cite()};
    }
  }
  report.AddGap(device.subject(), absl::StrCat(fact::kOptions.name, ".", name),
                "the option is not among those observed");
  return std::nullopt;
}

std::vector<OptionDifference> NeedOptionDifferences(const World& world, Report& report) {
  std::vector<OptionDifference> differences;
  for (const DevicePair& pair : world.pairs()) {
    const auto from_kind = report.Need(pair.source, fact::kKind);
    const auto to_kind = report.Need(pair.destination, fact::kKind);
    // Another kind has other options, and is refused as such.
    if (from_kind && to_kind && *from_kind != *to_kind) continue;
    const auto source = report.Need(pair.source, fact::kOptions);
    const auto destination = report.Need(pair.destination, fact::kOptions);
    if (!source || !destination) continue;
    std::set<std::string> names;
    for (const auto& [name, value] : *source) names.insert(name);
    for (const auto& [name, value] : *destination) names.insert(name);
    for (const std::string& name : names) {
      const std::string from = ValueOr(*source, name);
      const std::string to = ValueOr(*destination, name);
      if (from == to) continue;
      differences.push_back(
          {pair,
           name,
           {source.CiteAs(name, from), destination.CiteAs(name, to)},
           absl::StrFormat("--%s is %s at the source and %s at the destination.", name, from, to)});
    }
  }
  return differences;
}

std::optional<Drift> DriftOf(const std::string& option) {
  for (const OptionDrift& known : kOptionDrift) {
    if (option == known.option) return known.drift;
  }
  return std::nullopt;
}

}  // namespace vuf
