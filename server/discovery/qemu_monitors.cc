#include "server/discovery/qemu_monitors.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/discovery/qemu_command_line.h"

namespace vuf {
namespace {

std::string ValueOf(const Suboptions& options, const std::string& name) {
  const auto it = options.find(name);
  return it == options.end() ? std::string() : it->second;
}

MonitorOption Unusable(std::string why) {
  MonitorOption monitor;
  monitor.why_not = std::move(why);
  return monitor;
}

// `options` are those of a character device of the kind "socket".
MonitorOption Listener(const Suboptions& options) {
  if (!IsOn(options, "server")) return Unusable("QEMU is this monitor's client, not its server");
  if (IsOn(options, "abstract")) return Unusable("its socket is an abstract one");
  MonitorOption monitor;
  monitor.path = ValueOf(options, "path");
  int descriptor = -1;
  if (absl::SimpleAtoi(ValueOf(options, "fd"), &descriptor)) monitor.descriptor = descriptor;
  if (monitor.path.empty() == !monitor.descriptor.has_value()) {
    return Unusable("it is not on one unix socket");
  }
  return monitor;
}

MonitorOption OnChardev(const std::vector<std::string>& arguments, const std::string& id) {
  for (size_t i = 1; i + 1 < arguments.size(); ++i) {
    if (OptionName(arguments[i]) != "chardev") continue;
    const Suboptions options = ParseSuboptions(arguments[i + 1]);
    if (ValueOf(options, "id") != id) continue;
    const std::string kind = ValueOf(options, "backend");
    if (kind == "socket") return Listener(options);
    return Unusable(absl::StrCat("it is on a character device of the kind \"", kind, "\""));
  }
  return Unusable(absl::StrCat("its character device \"", id, "\" is not on the command line"));
}

// What -qmp takes: "unix:/path,server=on,wait=off", "chardev:ID", or another kind of device.
MonitorOption FromQmp(const std::vector<std::string>& arguments, const std::string& value) {
  Suboptions options = ParseSuboptions(value);
  const std::string device = ValueOf(options, "backend");
  absl::string_view rest = device;
  if (absl::ConsumePrefix(&rest, "chardev:")) return OnChardev(arguments, std::string(rest));
  if (!absl::ConsumePrefix(&rest, "unix:")) {
    return Unusable(absl::StrCat("it is on \"", device, "\", not on a unix socket"));
  }
  options["path"] = std::string(rest);
  return Listener(options);
}

}  // namespace

std::vector<MonitorOption> QmpMonitors(const std::vector<std::string>& arguments) {
  std::vector<MonitorOption> monitors;
  for (size_t i = 1; i + 1 < arguments.size(); ++i) {
    const absl::string_view name = OptionName(arguments[i]);
    const std::string& value = arguments[i + 1];
    if (name == "qmp" || name == "qmp-pretty") {
      if (value != "none") monitors.push_back(FromQmp(arguments, value));
      ++i;
    } else if (name == "mon") {
      const Suboptions options = ParseSuboptions(value);
      ++i;
      if (ValueOf(options, "mode") != "control") continue;
      const std::string chardev = ValueOf(options, "chardev");
      monitors.push_back(
          OnChardev(arguments, chardev.empty() ? ValueOf(options, "backend") : chardev));
    }
  }
  return monitors;
}

}  // namespace vuf
