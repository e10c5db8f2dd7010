// The agent: does it answer, what does it know, and what may its process see.
#include <dirent.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <climits>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/doctor.h"
#include "client/text.h"

namespace vuf::cli {
namespace {

// Each GetVm opens a monitor; a sample is enough to tell a host that cannot be observed.
constexpr int kVmsToObserve = 20;
constexpr int kCapSysPtrace = 19;
constexpr uint64_t kLowDiskBytes = 64 << 20;

Check CheckServing(VufClient& client, const std::string& server) {
  const absl::StatusOr<bool> serving = client.IsServing();
  if (serving.ok() && *serving) return {Health::kOk, "agent", absl::StrCat(server, " answers"), ""};
  if (serving.ok()) {
    return {Health::kFail, "agent", absl::StrCat(server, " answers but changes nothing"),
            "it stops, or has just started and settles migrations that were under way "
            "(RECONCILING, 30 s at most); look at its log"};
  }
  return {Health::kFail, "agent", absl::StrCat(server, ": ", serving.status().message()),
          "start vufd, name its socket with --server=unix:PATH, or get access to the socket (it is "
          "for root and the socket's group)"};
}

Check CheckVms(VufClient& client) {
  const absl::StatusOr<v1::ListVmsResponse> vms = client.ListVms();
  if (!vms.ok()) {
    return {Health::kFail, "registered VMs", std::string(vms.status().message()),
            "look at vufd's log"};
  }
  if (vms->vms().empty()) {
    return {Health::kWarn, "registered VMs", "none",
            "vufctl vms discover, or vufctl vms register QMP_SOCKET"};
  }
  int seen = 0;
  for (const v1::Vm& vm : vms->vms()) {
    if (++seen > kVmsToObserve) break;
    const absl::StatusOr<v1::Vm> observed = client.GetVm(vm.name());
    const std::string error =
        observed.ok() ? observed->observe_error() : std::string(observed.status().message());
    if (error.empty()) continue;
    return {Health::kWarn, "registered VMs", absl::StrCat(vm.name(), ": ", error),
            "a VM that cannot be observed is refused; one that is gone can be removed with vufctl "
            "vms remove"};
  }
  return {
      Health::kOk, "registered VMs",
      absl::StrCat(vms->vms_size(), " registered, ", std::min(seen, kVmsToObserve), " observed"),
      ""};
}

Check CheckEndpoints(VufClient& client) {
  const absl::StatusOr<v1::ListEndpointsResponse> endpoints = client.ListEndpoints("");
  if (!endpoints.ok()) {
    return {Health::kFail, "endpoints", std::string(endpoints.status().message()),
            "look at vufd's log"};
  }
  for (const v1::Endpoint& endpoint : endpoints->endpoints()) {
    if (endpoint.state() != v1::Endpoint::STATE_UNKNOWN) continue;
    return {Health::kWarn, "endpoints",
            absl::StrCat(endpoint.name(), " cannot be observed: ", endpoint.observe_error()),
            "devices behind it are refused until vufd can see who serves it"};
  }
  return {Health::kOk, "endpoints", absl::StrCat(endpoints->endpoints_size(), " registered"), ""};
}

// Who listens on the agent's own socket; 0 when that cannot be told.
int ListenerPid(const std::string& server) {
  const std::string path(absl::StripPrefix(server, "unix:"));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return 0;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return 0;
  ucred peer = {};
  socklen_t size = sizeof(peer);
  const bool known =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  close(fd);
  return known ? peer.pid : 0;
}

std::string ReadLink(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t length = readlink(path.c_str(), target, sizeof(target));
  return length < 0 ? "" : std::string(target, static_cast<size_t>(length));
}

// The value of a "Name:\tvalue" line of /proc/PID/status.
std::string StatusField(const std::string& status, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(status, '\n')) {
    absl::string_view value = line;
    if (absl::ConsumePrefix(&value, absl::StrCat(name, ":\t"))) return std::string(value);
  }
  return "";
}

Check CheckPrivileges(const std::string& status) {
  const std::string effective = StatusField(status, "CapEff");
  uint64_t capabilities = 0;
  if (!absl::SimpleHexAtoi(effective, &capabilities)) {
    return {Health::kWarn, "agent privileges", "its capabilities cannot be read",
            "run vufctl doctor as root"};
  }
  if ((capabilities >> kCapSysPtrace & 1) != 0) {
    return {Health::kOk, "agent privileges", "has CAP_SYS_PTRACE: sees who serves a socket", ""};
  }
  return {Health::kWarn, "agent privileges",
          "no CAP_SYS_PTRACE: vufd cannot see which process of another user serves a socket",
          "run vufd as root or give it CAP_SYS_PTRACE; until then such devices are refused"};
}

Check CheckNamespaces(const std::string& proc, const std::string& own) {
  std::string differing;
  for (const char* kind : {"pid", "net"}) {
    const std::string theirs = ReadLink(absl::StrCat(proc, "/ns/", kind));
    if (theirs.empty()) {
      return {Health::kWarn, "agent namespaces", "cannot be read", "run vufctl doctor as root"};
    }
    if (theirs != ReadLink(absl::StrCat(own, "/ns/", kind))) {
      absl::StrAppend(&differing, differing.empty() ? "" : " and ", kind);
    }
  }
  if (differing.empty()) {
    return {Health::kOk, "agent namespaces", "shares this shell's pid and network namespaces", ""};
  }
  return {Health::kWarn, "agent namespaces",
          absl::StrCat("its ", differing, " namespace is not this shell's"),
          "run vufd in the namespaces in which QEMU and the back-ends run, or it cannot see them"};
}

// The directory of the SQLite file that the agent has open; empty when not seen.
std::string StateDirectory(const std::string& proc) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(proc + "/fd", error)) {
    const std::string target = ReadLink(entry.path().string());
    if (!absl::EndsWith(target, "-wal") && !absl::EndsWith(target, ".db")) continue;
    return std::filesystem::path(target).parent_path().string();
  }
  return "";
}

Check CheckState(const std::string& proc) {
  const std::string directory = StateDirectory(proc);
  struct statvfs disk = {};
  if (directory.empty() || statvfs(directory.c_str(), &disk) != 0) {
    return {Health::kWarn, "state directory", "the agent's open files show no registry",
            "run vufctl doctor as root; if this stays, look at vufd's log"};
  }
  const uint64_t free = uint64_t{disk.f_bavail} * disk.f_frsize;
  if (free < kLowDiskBytes) {
    return {Health::kFail, "state directory",
            absl::StrCat(directory, " has ", SizeText(free), " left"),
            "make room: vufd acknowledges nothing that it cannot store"};
  }
  return {Health::kOk, "state directory", absl::StrCat(directory, ", ", SizeText(free), " free"),
          ""};
}

}  // namespace

std::vector<Check> CheckAgentProcess(const std::string& root, int pid) {
  const std::string proc = absl::StrCat(root, "/proc/", pid);
  const std::string status = pid == 0 ? "" : ReadSmallFile(proc + "/status");
  if (status.empty()) {
    return {{Health::kWarn, "agent process", "cannot be seen from here",
             "run vufctl doctor as root, in the agent's pid namespace"}};
  }
  return {CheckPrivileges(status), CheckNamespaces(proc, root + "/proc/self"), CheckState(proc)};
}

std::vector<Check> CheckAgent(VufClient& client, const std::string& server) {
  std::vector<Check> checks = {CheckServing(client, server)};
  if (checks[0].health != Health::kOk) return checks;
  checks.push_back(CheckVms(client));
  checks.push_back(CheckEndpoints(client));
  for (Check& check : CheckAgentProcess("", ListenerPid(server))) {
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace vuf::cli
