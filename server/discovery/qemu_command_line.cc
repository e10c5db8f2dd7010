#include "server/discovery/qemu_command_line.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace vuf {
namespace {

// Options after which the next argument is an option again. One that is missing here costs an
// "unknown"; one that is wrongly here would be believed.
bool TakesNoValue(absl::string_view name) {
  static const std::set<std::string>* const names = new std::set<std::string>{
      "S",
      "s",
      "daemonize",
      "enable-kvm",
      "full-screen",
      "nodefaults",
      "nographic",
      "no-acpi",
      "no-fd-bootchk",
      "no-hpet",
      "no-quit",
      "no-reboot",
      "no-shutdown",
      "no-user-config",
      "only-migratable",
      "preconfig",
      "singlestep",
      "snapshot",
      "usb",
      "win2k-hack",
      "mem-prealloc",
      "enable-sync-profile",
  };
  return names->count(std::string(name)) != 0;
}

}  // namespace

// QEMU takes one dash or two.
absl::string_view OptionName(absl::string_view argument) {
  if (!absl::ConsumePrefix(&argument, "-")) return "";
  absl::ConsumePrefix(&argument, "-");
  return argument;
}

// A doubled comma is a comma.
Suboptions ParseSuboptions(absl::string_view text) {
  std::vector<std::string> parts(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',') {
      parts.back() += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      parts.back() += text[i++];
    } else {
      parts.emplace_back();
    }
  }
  Suboptions options;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    if (equals != std::string::npos) {
      options[parts[i].substr(0, equals)] = parts[i].substr(equals + 1);
    } else {
      // The first one without a name is the back-end of the character device.
      options[i == 0 ? "backend" : parts[i]] = i == 0 ? parts[i] : "on";
    }
  }
  return options;
}

bool IsOn(const Suboptions& options, const std::string& name) {
  const auto it = options.find(name);
  return it != options.end() && it->second != "off" && it->second != "no" && it->second != "false";
}

std::optional<bool> StartedPaused(const std::vector<std::string>& arguments) {
  bool doubtful = false;
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (OptionName(arguments[i]) != "S") continue;
    const absl::string_view before = OptionName(arguments[i - 1]);
    // After a value, or after an option without one, it can only be an option.
    if (i == 1 || before.empty() || TakesNoValue(before)) return true;
    doubtful = true;
  }
  if (doubtful) return std::nullopt;
  return false;
}

absl::StatusOr<std::string> ChardevSocketPath(const std::vector<std::string>& arguments,
                                              const std::string& label) {
  std::vector<Suboptions> found;
  for (size_t i = 1; i + 1 < arguments.size(); ++i) {
    if (OptionName(arguments[i]) != "chardev") continue;
    Suboptions options = ParseSuboptions(arguments[i + 1]);
    if (options["id"] == label) found.push_back(std::move(options));
  }
  if (found.size() != 1) {
    return absl::NotFoundError(absl::StrCat("QEMU's command line has ", found.size(),
                                            " character devices \"", label, "\", not one"));
  }
  const Suboptions& options = found.front();
  const auto path = options.find("path");
  if (options.count("backend") == 0 || options.at("backend") != "socket" || path == options.end() ||
      path->second.empty()) {
    return absl::NotFoundError(
        absl::StrCat("character device \"", label, "\" of QEMU's command line has no socket path"));
  }
  if (IsOn(options, "abstract") || IsOn(options, "server")) {
    return absl::NotFoundError(absl::StrCat("character device \"", label,
                                            "\" does not connect to a socket in the file system"));
  }
  return path->second;
}

}  // namespace vuf
