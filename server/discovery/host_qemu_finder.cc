#include "server/discovery/host_qemu_finder.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

std::string Message(const absl::Status& status) { return std::string(status.message()); }

bool IsQemu(absl::string_view program) {
  const absl::string_view name = program.substr(program.rfind('/') + 1);
  return absl::StartsWith(name, "qemu-system-") || name == "qemu-kvm";
}

QemuMonitor WithoutPath(std::string why) { return {"", std::move(why)}; }

}  // namespace

absl::StatusOr<QemuSighting> HostQemuFinder::Find(absl::Time deadline) {
  absl::StatusOr<std::vector<int>> pids = procfs_.Pids();
  if (!pids.ok()) return pids.status();
  absl::c_sort(*pids);
  QemuSighting sighting;
  std::vector<Candidate> candidates;
  for (const int pid : *pids) {
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError("no time left to look at every process of the host");
    }
    std::optional<Candidate> candidate = Identify(pid, sighting.closed);
    if (!candidate.has_value()) continue;
    candidates.push_back(*std::move(candidate));
    if (candidates.size() > kMaxQemus) {
      return absl::ResourceExhaustedError(
          absl::StrCat("more than ", kMaxQemus, " processes look like a QEMU"));
    }
  }
  if (candidates.empty()) return sighting;
  absl::StatusOr<std::vector<UnixSocket>> listed = sockets_->List(deadline);
  if (!listed.ok()) return listed.status();
  const SocketView view(*std::move(listed));
  for (const Candidate& candidate : candidates) {
    std::optional<QemuProcess> qemu = Look(candidate, view);
    if (qemu.has_value()) sighting.qemus.push_back(*std::move(qemu));
  }
  return sighting;
}

std::optional<HostQemuFinder::Candidate> HostQemuFinder::Identify(int pid, size_t& closed) const {
  const absl::StatusOr<ExeLink> exe = procfs_.Exe(pid);
  // Neither a thread of the kernel nor a process that has ended has an executable.
  if (!exe.ok() && !absl::IsPermissionDenied(exe.status())) return std::nullopt;
  const absl::StatusOr<std::vector<std::string>> arguments = procfs_.Cmdline(pid);
  const bool has_arguments = arguments.ok() && !arguments->empty();
  if (!exe.ok() && !has_arguments) {
    ++closed;
    return std::nullopt;
  }
  Candidate candidate;
  candidate.program = exe.ok() ? exe->path : arguments->front();
  candidate.certain = IsQemu(candidate.program);
  if (has_arguments) {
    candidate.options = QmpMonitors(*arguments);
  } else if (candidate.certain) {
    candidate.options.push_back({"", std::nullopt, "its command line cannot be read"});
  }
  if (!candidate.certain && candidate.options.empty()) return std::nullopt;
  const absl::StatusOr<ProcStat> stat = procfs_.Stat(pid);
  if (!stat.ok()) return std::nullopt;
  candidate.process = {pid, stat->start_ticks};
  return candidate;
}

std::optional<QemuProcess> HostQemuFinder::Look(const Candidate& candidate,
                                                const SocketView& view) const {
  const int pid = candidate.process.pid;
  const absl::StatusOr<std::vector<uint64_t>> own = procfs_.Sockets(pid);
  QemuProcess qemu{candidate.process, candidate.program, {}};
  for (const MonitorOption& option : candidate.options) {
    qemu.monitors.push_back(LookAtMonitor(pid, option, own, view));
  }
  // Whoever started a QEMU has the same arguments, but not its sockets.
  const auto usable = [](const QemuMonitor& monitor) { return monitor.why_not.empty(); };
  if (!candidate.certain && own.ok() && absl::c_none_of(qemu.monitors, usable)) return std::nullopt;
  return qemu;
}

QemuMonitor HostQemuFinder::LookAtMonitor(int pid, const MonitorOption& option,
                                          const absl::StatusOr<std::vector<uint64_t>>& own,
                                          const SocketView& view) const {
  if (!option.why_not.empty()) return WithoutPath(option.why_not);
  std::string path = option.path;
  if (!own.ok()) {
    return {path, absl::StrCat("vufd may not see its sockets (", Message(own.status()), ")")};
  }
  if (option.descriptor.has_value()) {
    const absl::StatusOr<uint64_t> inode = procfs_.SocketAt(pid, *option.descriptor);
    const auto row = absl::c_find_if(view.sockets(), [&](const UnixSocket& socket) {
      return inode.ok() && socket.inode == *inode && socket.listening;
    });
    if (row == view.sockets().end() || row->name.empty() || row->name[0] == '\0') {
      return WithoutPath(
          absl::StrCat("its descriptor ", *option.descriptor,
                       " is no unix socket with a path in vufd's network namespace"));
    }
    path = row->name;
  }
  const absl::StatusOr<FileSighting> file = procfs_.Look(pid, path);
  if (!file.ok()) return {path, Message(file.status())};
  const absl::StatusOr<uint64_t> listener = FindListener(pid, path, *file, *own, view);
  if (!listener.ok()) return {path, Message(listener.status())};
  const absl::StatusOr<std::string> name = OwnName(pid, path, *file);
  if (!name.ok()) return {path, Message(name.status())};
  if (view.FrontEnds(*listener) > 0) {
    return {*name, "in use: another client is connected, and a monitor serves one at a time"};
  }
  return {*name, ""};
}

absl::StatusOr<uint64_t> HostQemuFinder::FindListener(int pid, const std::string& path,
                                                      const FileSighting& file,
                                                      const std::vector<uint64_t>& own,
                                                      const SocketView& view) const {
  const std::vector<Mount> mounts = procfs_.Mounts(pid).value_or(std::vector<Mount>());
  bool foreign = false;
  for (const UnixSocket& socket : view.sockets()) {
    if (!socket.listening || !BoundTo(socket, file, mounts)) continue;
    if (absl::c_linear_search(own, socket.inode)) return socket.inode;
    foreign = true;
  }
  if (foreign) {
    return absl::FailedPreconditionError(absl::StrCat("another process listens at ", path));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("nobody listens at ", path, " in vufd's network namespace"));
}

absl::StatusOr<std::string> HostQemuFinder::OwnName(int pid, const std::string& path,
                                                    const FileSighting& file) const {
  std::string name = path;
  if (name.empty() || name[0] != '/') {
    const absl::StatusOr<std::string> directory = procfs_.WorkingDirectory(pid);
    if (!directory.ok()) return directory.status();
    name = absl::StrCat(*directory, "/", path);
  }
  const absl::StatusOr<FileSighting> own = LookAt(name);
  if (own.ok() && own->file == file.file) return name;
  // That name ends with the process, and may then become another's: nothing to register by itself.
  return absl::FailedPreconditionError(
      absl::StrCat("it is in another mount namespace; mount its directory where vufd runs, under "
                   "the same name, or register ",
                   procfs_.PathOf(pid, "root"), name, " for as long as the process lives"));
}

}  // namespace vuf
