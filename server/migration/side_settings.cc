#include "server/migration/side_settings.h"

#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/convert.h"
#include "server/migration/explain.h"

namespace vuf {
namespace {

using Capabilities = std::map<std::string, bool>;

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

absl::StatusOr<MigrationSettings> SettingsBefore(Monitor& side, const MigrationSettings& wanted) {
  absl::StatusOr<MigrationSettings> now = side.QuerySettings();
  if (!now.ok()) return now.status();
  for (auto it = now->capabilities.begin(); it != now->capabilities.end();) {
    it = wanted.capabilities.count(it->first) > 0 ? std::next(it) : now->capabilities.erase(it);
  }
  const auto keep_named = [&](auto member) {
    if (!(wanted.*member)) (*now.*member).reset();
  };
  keep_named(&MigrationSettings::mode);
  keep_named(&MigrationSettings::downtime_limit);
  keep_named(&MigrationSettings::max_bandwidth);
  keep_named(&MigrationSettings::cpu_throttle_initial);
  keep_named(&MigrationSettings::max_cpu_throttle);
  return now;
}

absl::Status ConfigureSide(Monitor& side, const MigrationSettings& wanted,
                           std::optional<MigrationSettings>& before) {
  absl::StatusOr<MigrationSettings> now = SettingsBefore(side, wanted);
  if (!now.ok()) return now.status();
  before = *std::move(now);
  return side.Configure(wanted).status();
}

v1::QemuSettings ToProto(const MigrationSettings& settings) {
  v1::QemuSettings out;
  out.mutable_capabilities()->insert(settings.capabilities.begin(), settings.capabilities.end());
  out.set_mode(settings.mode.value_or(""));
  if (settings.downtime_limit) *out.mutable_downtime_limit() = ToProto(*settings.downtime_limit);
  if (settings.max_bandwidth) out.set_max_bandwidth_bytes_per_second(*settings.max_bandwidth);
  if (settings.cpu_throttle_initial) out.set_cpu_throttle_initial(*settings.cpu_throttle_initial);
  if (settings.max_cpu_throttle) out.set_max_cpu_throttle(*settings.max_cpu_throttle);
  return out;
}

MigrationSettings FromProto(const v1::QemuSettings& settings) {
  MigrationSettings out;
  out.capabilities.insert(settings.capabilities().begin(), settings.capabilities().end());
  if (!settings.mode().empty()) out.mode = settings.mode();
  if (settings.has_downtime_limit()) out.downtime_limit = FromProto(settings.downtime_limit());
  if (settings.has_max_bandwidth_bytes_per_second()) {
    out.max_bandwidth = settings.max_bandwidth_bytes_per_second();
  }
  if (settings.has_cpu_throttle_initial())
    out.cpu_throttle_initial = settings.cpu_throttle_initial();
  if (settings.has_max_cpu_throttle()) out.max_cpu_throttle = settings.max_cpu_throttle();
  return out;
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
