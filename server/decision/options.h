// Options of a virtiofsd, for rules.
#ifndef VUFD_SERVER_DECISION_OPTIONS_H_
#define VUFD_SERVER_DECISION_OPTIONS_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "server/decision/report.h"
#include "server/decision/tables.h"
#include "server/decision/world.h"

namespace vuf {

struct Option {
  absl::string_view value;
  const char* name;
  // Where it is from: among the options or, for one that this version does not have, the version.
  Read<BackEndOptions> options;
  std::optional<Read<Version>> version;

  CitedFact Cite() const {
    return version.has_value() ? version->Cite() : options.CiteAs(name, std::string(value));
  }
  // For options that are off by "false" (older ones) or "never" (newer ones).
  bool off() const { return value == "false" || value == "never"; }
  bool on() const { return value == "true"; }
};

// The value of an option of a Rust virtiofsd; absent for other kinds, and when it is unknown, which
// is then reported.
std::optional<Option> NeedOption(const DeviceView& device, const char* name, Report& report);

// Whether files of the share are handed over by a Rust virtiofsd that vufd can look at: the
// device's own, or one behind a keeper.
bool HandsOverFiles(const DeviceView& device);

// The options of all pairs of devices are needed, except of what is behind a keeper.
void NeedOptions(const World& world, Report& report);
// Reports one of World::option_differences(), if both sides' options can be relied on.
void AddDifference(const OptionDifference& option, Report& report);

// How the table classifies an option; absent for an option it does not know.
std::optional<Drift> DriftOf(absl::string_view option);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_OPTIONS_H_
