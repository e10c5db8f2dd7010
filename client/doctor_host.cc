// The host as anybody on it can see it: kernel interfaces, QEMU, back-ends.
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/doctor.h"
#include "client/run_program.h"
#include "google/protobuf/util/json_util.h"

namespace vuf::cli {
namespace {

constexpr absl::Duration kProgramTimeout = absl::Seconds(5);
constexpr int kMaxPrograms = 16;

Check CheckUser() {
  if (geteuid() == 0) return {Health::kOk, "user", "root", ""};
  return {Health::kWarn, "user", absl::StrCat("uid ", geteuid(), ", not root"),
          "run vufctl doctor as root to see everything"};
}

Check CheckBootId(const std::string& root) {
  const std::string id(
      absl::StripAsciiWhitespace(ReadSmallFile(root + "/proc/sys/kernel/random/boot_id")));
  if (!id.empty()) return {Health::kOk, "boot id", id, ""};
  return {Health::kFail, "boot id", "/proc/sys/kernel/random/boot_id cannot be read",
          "mount /proc; processes cannot be told apart across boots without it"};
}

Check CheckHidepid(const std::string& root) {
  const std::string mounts = ReadSmallFile(root + "/proc/self/mountinfo");
  if (mounts.empty()) {
    return {Health::kFail, "/proc", "/proc/self/mountinfo cannot be read", "mount /proc"};
  }
  for (const absl::string_view line : absl::StrSplit(mounts, '\n')) {
    if (!absl::StrContains(line, " /proc ") || !absl::StrContains(line, "hidepid=")) continue;
    if (absl::StrContains(line, "hidepid=0") || absl::StrContains(line, "hidepid=off")) continue;
    return {Health::kWarn, "/proc", "mounted with hidepid: other users' processes are hidden",
            "vufd needs CAP_SYS_PTRACE here"};
  }
  return {Health::kOk, "/proc", "shows all processes", ""};
}

// One dump of unix sockets: the errno that stopped it, or 0.
int TrySockDiag() {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return errno;
  const timeval limit = {2, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  struct {
    nlmsghdr header;
    unix_diag_req request;
  } message = {};
  message.header.nlmsg_len = sizeof(message);
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.request.sdiag_family = AF_UNIX;
  message.request.udiag_states = ~0U;
  message.request.udiag_show = UDIAG_SHOW_NAME;
  alignas(nlmsghdr) char answer[16 << 10];
  ssize_t got = -1;
  if (send(fd, &message, sizeof(message), 0) == static_cast<ssize_t>(sizeof(message))) {
    got = recv(fd, answer, sizeof(answer), 0);
  }
  const int error = errno;
  close(fd);
  if (got < static_cast<ssize_t>(sizeof(nlmsghdr))) return got < 0 ? error : EPROTO;
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY) return 0;
  if (header->nlmsg_type != NLMSG_ERROR) return EPROTO;
  return -reinterpret_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
}

Check CheckSockDiag() {
  const int error = TrySockDiag();
  if (error == 0) return {Health::kOk, "sock_diag", "lists unix sockets and their peers", ""};
  return {Health::kFail, "sock_diag", std::strerror(error),
          "modprobe unix_diag (CONFIG_UNIX_DIAG); without it nobody can tell who is connected to "
          "a socket"};
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

Check CheckQemu(const std::string& path) {
  const absl::StatusOr<std::string> output = RunProgram({path, "--version"}, kProgramTimeout);
  if (!output.ok()) {
    return {Health::kWarn, "QEMU", std::string(output.status().message()), "reinstall it"};
  }
  int major = 0;
  int minor = 0;
  const std::string found = absl::StrCat(path, ": ", FirstLine(*output));
  if (std::sscanf(output->c_str(), "QEMU emulator version %d.%d", &major, &minor) != 2) {
    return {Health::kWarn, "QEMU", found, "its version is not understood"};
  }
  if (major > 8 || (major == 8 && minor >= 2)) return {Health::kOk, "QEMU", found, ""};
  return {Health::kWarn, "QEMU", found,
          "older than 8.2: cannot carry a back-end's state; install a newer one"};
}

std::vector<Check> CheckQemus(const std::string& root) {
  std::vector<Check> checks;
  std::error_code error;
  std::vector<std::string> paths = {root + "/usr/libexec/qemu-kvm"};
  for (const auto& entry : std::filesystem::directory_iterator(root + "/usr/bin", error)) {
    if (absl::StartsWith(entry.path().filename().string(), "qemu-system-")) {
      paths.push_back(entry.path().string());
    }
  }
  for (const std::string& path : paths) {
    if (access(path.c_str(), X_OK) == 0 && checks.size() < kMaxPrograms) {
      checks.push_back(CheckQemu(path));
    }
  }
  if (checks.empty()) {
    checks.push_back({Health::kWarn, "QEMU",
                      "no qemu-system-* in /usr/bin, no /usr/libexec/qemu-kvm",
                      "install QEMU 8.2 or later, unless yours lives elsewhere"});
  }
  return checks;
}

// Back-end manifests by file name: /etc wins over /usr/share, an empty file hides one.
std::map<std::string, std::string> Manifests(const std::string& root) {
  std::map<std::string, std::string> manifests;
  for (const char* directory : {"/usr/share/qemu/vhost-user", "/etc/qemu/vhost-user"}) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(root + directory, error)) {
      if (entry.path().extension() != ".json") continue;
      manifests[entry.path().filename().string()] = ReadSmallFile(entry.path().string());
    }
  }
  return manifests;
}

Check CheckBackEnd(const std::string& root, const std::string& name,
                   const google::protobuf::Struct& manifest) {
  const auto binary = manifest.fields().find("binary");
  if (binary == manifest.fields().end()) {
    return {Health::kWarn, "back-end", name + " names no binary", "reinstall the back-end"};
  }
  const std::string path = root + binary->second.string_value();
  const absl::StatusOr<std::string> version = RunProgram({path, "--version"}, kProgramTimeout);
  const absl::StatusOr<std::string> features =
      RunProgram({path, "--print-capabilities"}, kProgramTimeout);
  if (!features.ok()) {
    return {Health::kWarn, "back-end", std::string(features.status().message()),
            "reinstall the back-end, or remove its manifest " + name};
  }
  const std::string found = absl::StrCat(path, version.ok() ? ": " + FirstLine(*version) : "");
  if (absl::StrContains(*features, "\"migrate-precopy\"")) {
    return {Health::kOk, "back-end", found + " can carry its state", ""};
  }
  return {Health::kWarn, "back-end", found + " cannot carry its state",
          "VMs on it are refused stateful migration; use virtiofsd 1.11 or later"};
}

std::vector<Check> CheckBackEnds(const std::string& root) {
  std::vector<Check> checks;
  for (const auto& [name, json] : Manifests(root)) {
    if (json.empty() || checks.size() >= kMaxPrograms) continue;
    google::protobuf::Struct manifest;
    if (!google::protobuf::util::JsonStringToMessage(json, &manifest).ok()) {
      checks.push_back({Health::kWarn, "back-end", name + " is not JSON", "repair or remove it"});
      continue;
    }
    const auto type = manifest.fields().find("type");
    if (type == manifest.fields().end() || type->second.string_value() != "fs") continue;
    checks.push_back(CheckBackEnd(root, name, manifest));
  }
  if (checks.empty()) {
    checks.push_back({Health::kWarn, "back-end",
                      "no manifest of a file system back-end in /usr/share/qemu/vhost-user",
                      "install virtiofsd 1.11 or later, unless yours lives elsewhere"});
  }
  return checks;
}

}  // namespace

std::vector<Check> CheckHost(const std::string& root) {
  std::vector<Check> checks = {CheckUser(), CheckBootId(root), CheckHidepid(root), CheckSockDiag()};
  for (Check& check : CheckQemus(root)) checks.push_back(std::move(check));
  for (Check& check : CheckBackEnds(root)) checks.push_back(std::move(check));
  return checks;
}

}  // namespace vuf::cli
