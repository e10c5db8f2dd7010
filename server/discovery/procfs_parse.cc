#include <sys/sysmacros.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/discovery/procfs.h"

namespace vuf {
namespace {

// mountinfo writes space, tab, newline and backslash as three octal digits.
std::string Unescape(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t k) { return text[i + k] >= '0' && text[i + k] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && digit(1) && digit(2) && digit(3)) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool HasOption(absl::string_view options, absl::string_view wanted) {
  for (const absl::string_view option : absl::StrSplit(options, ',')) {
    if (option == wanted) return true;
  }
  return false;
}

// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
std::optional<Mount> ParseMount(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
  size_t dash = 6;
  while (dash < fields.size() && fields[dash] != "-") ++dash;
  if (dash + 3 >= fields.size()) return std::nullopt;
  const std::vector<absl::string_view> device = absl::StrSplit(fields[2], ':');
  Mount mount;
  uint32_t major = 0;
  uint32_t minor = 0;
  if (device.size() != 2 || !absl::SimpleAtoi(fields[0], &mount.id) ||
      !absl::SimpleAtoi(device[0], &major) || !absl::SimpleAtoi(device[1], &minor)) {
    return std::nullopt;
  }
  mount.device = makedev(major, minor);
  mount.root = Unescape(fields[3]);
  mount.mount_point = Unescape(fields[4]);
  mount.read_only = HasOption(fields[5], "ro") || HasOption(fields[dash + 3], "ro");
  mount.file_system = Unescape(fields[dash + 1]);
  mount.source = Unescape(fields[dash + 2]);
  mount.options = std::string(fields[dash + 3]);
  return mount;
}

// "Uid:\treal\teffective\tsaved\tfile system"
std::string EffectiveId(absl::string_view line) {
  const std::vector<absl::string_view> ids = absl::StrSplit(line, '\t', absl::SkipWhitespace());
  return ids.size() == 4 ? std::string(ids[1]) : "";
}

bool IsBootIdChar(char c) { return absl::ascii_isxdigit(c) || c == '-'; }

}  // namespace

absl::StatusOr<ProcStat> ParseStat(absl::string_view text) {
  // The command name may contain spaces and parentheses; only the last one closes it.
  const size_t close = text.rfind(") ");
  if (close == absl::string_view::npos) {
    return absl::InvalidArgumentError("stat has no command name");
  }
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::StripTrailingAsciiWhitespace(text.substr(close + 2)), ' ');
  // Field 3, the state, is fields[0].
  ProcStat stat;
  if (fields.size() < 20 || fields[0].size() != 1 || !absl::SimpleAtoi(fields[1], &stat.parent) ||
      !absl::SimpleAtoi(fields[19], &stat.start_ticks)) {
    return absl::InvalidArgumentError("stat has no state, parent or start time");
  }
  stat.state = fields[0][0];
  return stat;
}

std::vector<std::string> ParseCmdline(absl::string_view text) {
  std::vector<std::string> arguments;
  if (text.empty()) return arguments;
  if (text.back() == '\0') text.remove_suffix(1);
  for (const absl::string_view argument : absl::StrSplit(text, '\0')) {
    arguments.emplace_back(argument);
  }
  return arguments;
}

absl::StatusOr<ProcStatus> ParseStatus(absl::string_view text) {
  ProcStatus status;
  bool has_capabilities = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, "CapEff:")) {
      const std::string hex(absl::StripAsciiWhitespace(line));
      has_capabilities = absl::SimpleHexAtoi(hex, &status.effective_capabilities);
    } else if (absl::ConsumePrefix(&line, "Uid:")) {
      status.uid = EffectiveId(line);
    } else if (absl::ConsumePrefix(&line, "Gid:")) {
      status.gid = EffectiveId(line);
    } else if (absl::ConsumePrefix(&line, "NSpid:")) {
      for (const absl::string_view field : absl::StrSplit(line, '\t', absl::SkipWhitespace())) {
        int pid = 0;
        if (!absl::SimpleAtoi(field, &pid)) {
          return absl::InvalidArgumentError("status has an NSpid that is no number");
        }
        status.namespace_pids.push_back(pid);
      }
    }
  }
  if (!has_capabilities) return absl::InvalidArgumentError("status has no readable CapEff");
  return status;
}

absl::StatusOr<std::vector<Mount>> ParseMountInfo(absl::string_view text) {
  std::vector<Mount> mounts;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    std::optional<Mount> mount = ParseMount(line);
    if (!mount) {
      return absl::InvalidArgumentError(absl::StrCat("mountinfo has an unreadable line: ", line));
    }
    mounts.push_back(*std::move(mount));
  }
  return mounts;
}

// "6:freezer:/a/b", and "0::/a/b" for version 2.
absl::StatusOr<std::vector<Cgroup>> ParseCgroups(absl::string_view text) {
  std::vector<Cgroup> cgroups;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || fields[2].empty() || fields[2][0] != '/') {
      return absl::InvalidArgumentError(absl::StrCat("cgroup has an unreadable line: ", line));
    }
    cgroups.push_back({fields[1], fields[2]});
  }
  return cgroups;
}

absl::StatusOr<uint64_t> ParseOpenFilesLimit(absl::string_view text) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, "Max open files ")) continue;
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint64_t limit = 0;
    if (fields.empty()) break;
    if (fields[0] == "unlimited") return std::numeric_limits<uint64_t>::max();
    if (!absl::SimpleAtoi(fields[0], &limit)) break;
    return limit;
  }
  return absl::InvalidArgumentError("limits has no readable \"Max open files\"");
}

absl::StatusOr<std::string> ParseIdMap(absl::string_view text) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
    lines.push_back(absl::StrJoin(absl::StrSplit(line, ' ', absl::SkipWhitespace()), " "));
  }
  if (lines.empty()) return absl::InvalidArgumentError("the id map is empty");
  return absl::StrJoin(lines, "; ");
}

ExeLink ParseExeLink(absl::string_view target) {
  ExeLink link;
  link.deleted = absl::ConsumeSuffix(&target, " (deleted)");
  link.path = std::string(target);
  return link;
}

std::optional<uint64_t> ParseSocketLink(absl::string_view target) {
  uint64_t inode = 0;
  if (!absl::ConsumePrefix(&target, "socket:[") || !absl::ConsumeSuffix(&target, "]") ||
      target.empty() || !absl::ascii_isdigit(target[0]) || !absl::SimpleAtoi(target, &inode)) {
    return std::nullopt;
  }
  return inode;
}

absl::StatusOr<std::string> ParseBootId(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  bool valid = text.size() == 36;
  for (const char c : text) valid = valid && IsBootIdChar(c);
  if (!valid) return absl::InvalidArgumentError("boot_id is no UUID");
  return std::string(text);
}

// "7f00-7f10 rw-s 00000000 fe:01 1234   /path", see proc_pid_maps(5).
absl::StatusOr<std::vector<FileId>> ParseMaps(absl::string_view text) {
  std::vector<FileId> out;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, absl::MaxSplits(' ', 5), absl::SkipEmpty());
    uint32_t major = 0;
    uint32_t minor = 0;
    FileId file;
    const std::vector<absl::string_view> device =
        fields.size() < 5 ? std::vector<absl::string_view>()
                          : std::vector<absl::string_view>(absl::StrSplit(fields[3], ':'));
    if (device.size() != 2 || !absl::SimpleHexAtoi(device[0], &major) ||
        !absl::SimpleHexAtoi(device[1], &minor) || !absl::SimpleAtoi(fields[4], &file.inode)) {
      return absl::InvalidArgumentError(absl::StrCat("no line of maps: ", line));
    }
    file.device = makedev(major, minor);
    if (file.inode != 0) out.push_back(file);
  }
  return out;
}

}  // namespace vuf
