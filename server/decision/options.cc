#include "server/decision/options.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/decision/keeper.h"

namespace vuf {

std::optional<Option> NeedOption(const DeviceView& device, const char* name, Report& report) {
  const auto kind = report.Need(device, fact::kKind);
  if (!kind) return std::nullopt;
  // Of what is behind a keeper, unless they are not known: KEEPER_SHARE_UNKNOWN.
  const bool behind_keeper = *kind == BackEndKind::kKeeper && device->back_end.options.known();
  if (*kind != BackEndKind::kVirtiofsd && !behind_keeper) return std::nullopt;
  const auto options = report.Need(device, fact::kOptions);
  if (!options) return std::nullopt;
  const auto it = options->find(name);
  if (it != options->end()) return Option{it->second, name, options, std::nullopt};
  // Behind a keeper the version is the keeper's, which tells nothing of virtiofsd's options.
  if (!behind_keeper) {
    const auto version = report.Need(device, fact::kVersion);
    if (!version) return std::nullopt;
    for (const OptionHistory& history : kVirtiofsdOptionHistory) {
      if (absl::string_view(name) == history.option && *version < history.since) {
        return Option{history.before, name, options, version};
      }
    }
  }
  report.AddGap(device.subject(), absl::StrCat(fact::kOptions.name, ".", name),
                "the option is not among those observed");
  return std::nullopt;
}

bool HandsOverFiles(const DeviceView& device) {
  const BackEndFacts& back_end = device->back_end;
  if (IsKeeper(device)) return back_end.share.known() && back_end.options.known();
  return back_end.kind.value == BackEndKind::kVirtiofsd;
}

void NeedOptions(const World& world, Report& report) {
  for (const DevicePair& pair : world.pairs()) {
    if (IsKeeper(pair.source) || IsKeeper(pair.destination)) continue;
    const auto from_kind = report.Need(pair.source, fact::kKind);
    const auto to_kind = report.Need(pair.destination, fact::kKind);
    if (from_kind && to_kind && *from_kind != *to_kind) continue;
    report.Need(pair.source, fact::kOptions);
    report.Need(pair.destination, fact::kOptions);
  }
}

void AddDifference(const OptionDifference& option, Report& report) {
  const auto source = report.Need(option.devices.source, fact::kOptions);
  const auto destination = report.Need(option.devices.destination, fact::kOptions);
  if (!source || !destination) return;
  report.Add(option.devices.destination.subject(),
             absl::StrFormat("--%s is %s at the source and %s at the destination.", option.name,
                             option.from, option.to),
             {source.CiteAs(option.name, option.from), destination.CiteAs(option.name, option.to)});
}

std::optional<Drift> DriftOf(absl::string_view option) {
  for (const OptionDrift& known : kOptionDrift) {
    if (option == known.option) return known.drift;
  }
  return std::nullopt;
}

}  // namespace vuf
