#include "server/migration/side_settings.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/migration/explain.h"

namespace vuf {
namespace {

using Capabilities = std::map<std::string, bool>;

// What was there as far as the decision saw it, for a Configure whose answer never came.
MigrationSettings Seen(const VmFacts& vm, const MigrationSettings& wanted) {
  MigrationSettings seen;
  for (const auto& [name, state] : wanted.capabilities) {
    if (!vm.capabilities.known()) continue;
    const auto it = vm.capabilities.value->find(name);
    if (it != vm.capabilities.value->end()) seen.capabilities[name] = it->second;
  }
  if (wanted.mode.has_value()) seen.mode = vm.migration_mode.value;
  return seen;
}

}  // namespace

std::optional<std::string> NormalMode(const VmFacts& vm) {
  if (vm.migration_mode.value.value_or("").empty()) return std::nullopt;
  return "normal";
}

void SetRamTransfer(const VmFacts& vm, bool shared, MigrationSettings& wanted) {
  const bool known = vm.capabilities.known();
  const auto it =
      known ? vm.capabilities.value->find(kIgnoreShared) : Capabilities::const_iterator();
  const bool on = known && it != vm.capabilities.value->end() && it->second;
  if (shared || on) wanted.capabilities[kIgnoreShared] = shared;
}

absl::Status ConfigureSide(Monitor& side, const VmFacts& vm, const MigrationSettings& wanted,
                           std::optional<MigrationSettings>& before) {
  before = Seen(vm, wanted);
  absl::StatusOr<MigrationSettings> replaced = side.Configure(wanted);
  if (!replaced.ok()) return replaced.status();
  before = *std::move(replaced);
  return absl::OkStatus();
}

std::string RestoreSide(Monitor& side, absl::string_view name,
                        std::optional<MigrationSettings>& before) {
  if (!before.has_value()) return "";
  absl::Status status = side.Configure(*before).status();
  if (!status.ok() && side.Reconnect().ok()) status = side.Configure(*before).status();
  before.reset();
  if (status.ok()) return "";
  return absl::StrCat(" The ", name,
                      "'s migration settings could not be put back: ", status.message(), ".");
}

}  // namespace vuf
