#include "server/discovery/host_discovery.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/discovery/qemu_command_line.h"

namespace vuf {
namespace {

std::string Message(const absl::Status& status) { return std::string(status.message()); }

void ForgetBackEnd(const std::string& why, BackEndFacts& facts) {
  facts.socket = Unknown<SocketFacts>(why, Source::kSockDiag);
  facts.front_ends = Unknown<int>(why, Source::kSockDiag);
  ForgetProcess(why, facts);
}

void ForgetBackEnds(const std::string& why, VmFacts& vm) {
  if (!vm.devices.known()) return;
  for (FsDeviceFacts& device : *vm.devices.value) ForgetBackEnd(why, device.back_end);
}

// The full identity of the file when it is the one at the path; otherwise what the kernel tells
// of it, which is enough to see that it is another one.
FileId BoundFile(const UnixSocket& socket, const FileSighting& seen,
                 const std::vector<Mount>& mounts) {
  return BoundTo(socket, seen, mounts) ? seen.file : socket.file.value_or(FileId{});
}

// Monitors are endpoints too when it is asked who serves them.
bool IsQemu(absl::string_view executable) {
  const absl::string_view name = executable.substr(executable.rfind('/') + 1);
  return absl::StartsWith(name, "qemu-system-") || name == "qemu-kvm";
}

SocketSighting SocketsAt(const SocketView& view, const FileSighting& file,
                         const std::vector<Mount>& mounts) {
  SocketSighting sighting;
  sighting.file = file.file;
  std::set<uint64_t> listening;
  for (const UnixSocket* const socket : view.BoundAt(file, mounts)) {
    if (socket->established && socket->peer != 0) sighting.served.insert(socket->inode);
    if (socket->listening) listening.insert(socket->inode);
  }
  if (sighting.served.empty()) sighting.served = std::move(listening);
  if (!sighting.served.empty()) sighting.front_ends = view.FrontEnds(*sighting.served.begin());
  return sighting;
}

// Its leader has ended; other threads may go on.
bool HasNoThreads(int pid) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return errno == ESRCH;
  pollfd ended = {fd, POLLIN, 0};
  const bool none = poll(&ended, 1, 0) == 1;
  close(fd);
  return none;
}

}  // namespace

HostDiscovery::HostDiscovery(const HostDiscoveryOptions& options,
                             std::unique_ptr<SocketTable> sockets, const Clock* clock,
                             KeeperPort* keepers)
    : procfs_(options.proc_root),
      inspector_(options.executable_names, options.run_limit),
      sockets_(std::move(sockets)),
      clock_(clock),
      holders_(&procfs_, clock,
               [this](const std::string& executable) {
                 return inspector_.Allows(executable) || IsKeeper(executable) || IsQemu(executable);
               }),
      kept_holders_(
          &procfs_, clock,
          [this](const std::string& executable) { return inspector_.Allows(executable); }),
      observer_(&procfs_, &inspector_, clock),
      keeper_observer_(&procfs_, &observer_, &kept_holders_, keepers, clock) {}

Evidence<std::string> HostDiscovery::BootId() {
  const absl::Time now = clock_->Now();
  absl::StatusOr<std::string> boot_id = procfs_.BootId();
  if (!boot_id.ok()) return Unknown<std::string>(Message(boot_id.status()), Source::kProcfs);
  return Known(*std::move(boot_id), Source::kProcfs, now);
}

bool HostDiscovery::IsGone(const ProcessId& process) {
  const absl::StatusOr<ProcStat> stat = procfs_.Stat(process.pid);
  if (!stat.ok()) return absl::IsNotFound(stat.status());
  if (stat->start_ticks != process.start_ticks) return true;
  return stat->state == 'Z' && HasNoThreads(process.pid);
}

absl::Status HostDiscovery::VerifyQemu(VmFacts& vm) const {
  if (!vm.process.known()) {
    return absl::FailedPreconditionError(
        absl::StrCat("QEMU's process is unknown: ", vm.process.detail));
  }
  const ProcessId process = *vm.process.value;
  const std::string who = absl::StrCat("process ", process.pid);
  const absl::StatusOr<ProcStat> stat = procfs_.Stat(process.pid);
  absl::Status verified;
  if (!stat.ok()) {
    verified = absl::FailedPreconditionError(absl::StrCat(who, ": ", Message(stat.status())));
  } else if (process.start_ticks == 0) {
    // Whoever asked the monitor knew only the pid: from here on it is pinned.
    vm.process.value->start_ticks = stat->start_ticks;
  } else if (stat->start_ticks != process.start_ticks) {
    verified = absl::FailedPreconditionError(
        absl::StrCat(who, " is not the QEMU that was asked: it started at another time"));
  }
  if (!verified.ok()) vm.process = Unknown<ProcessId>(Message(verified), Source::kProcfs);
  return verified;
}

void HostDiscovery::ObserveBackEnds(VmFacts& vm, Look look, absl::Time deadline) {
  const absl::Time now = clock_->Now();
  absl::Status outcome = VerifyQemu(vm);
  if (outcome.ok()) {
    const int pid = vm.process.value->pid;
    const absl::StatusOr<std::vector<std::string>> arguments = procfs_.Cmdline(pid);
    const std::optional<bool> paused =
        arguments.ok() && !arguments->empty() ? StartedPaused(*arguments) : std::optional<bool>();
    const std::string source = procfs_.PathOf(pid, "cmdline");
    vm.started_paused =
        paused ? Known(*paused, Source::kProcfs, now, source)
               : Unknown<bool>(arguments.ok() ? source + " does not tell whether -S is an option"
                                              : Message(arguments.status()),
                               Source::kProcfs);
    ObserveMemory(vm);
    outcome = ObserveDevices(vm, look, deadline);
    // All of the above is about one QEMU only if it is still there.
    if (const absl::Status still = VerifyQemu(vm); !still.ok()) outcome = still;
  }
  if (outcome.ok()) return;
  if (!vm.process.known() && vm.memory_backends.known()) {
    for (MemoryBackendFacts& memory : *vm.memory_backends.value) memory.file.reset();
  }
  if (!vm.process.known()) vm.started_paused = Unknown<bool>(Message(outcome), Source::kProcfs);
  ForgetBackEnds(Message(outcome), vm);
}

void HostDiscovery::ObserveMemory(VmFacts& vm) const {
  if (!vm.memory_backends.known()) return;
  const int pid = vm.process.value->pid;
  std::optional<absl::StatusOr<std::vector<FileId>>> mapped;
  for (MemoryBackendFacts& memory : *vm.memory_backends.value) {
    memory.file.reset();
    if (memory.path.value_or("").empty()) continue;
    const absl::StatusOr<FileSighting> seen = procfs_.Look(pid, *memory.path);
    // A directory holds a file without a name, which is nobody else's.
    if (!seen.ok() || S_ISDIR(seen->mode)) continue;
    // The file may have been made anew at its path since QEMU mapped it: then the memory is in one
    // that nobody else can reach.
    if (!mapped.has_value()) mapped = procfs_.MappedFiles(pid);
    if (mapped->ok() && absl::c_linear_search(**mapped, seen->file)) memory.file = seen->file;
  }
}

absl::Status HostDiscovery::ObserveDevices(VmFacts& vm, Look look, absl::Time deadline) {
  if (!vm.devices.known() || vm.devices.value->empty()) return absl::OkStatus();
  const int qemu_pid = vm.process.value->pid;
  const absl::Time now = clock_->Now();
  const absl::StatusOr<std::vector<uint64_t>> own = procfs_.Sockets(qemu_pid);
  if (!own.ok()) return own.status();
  absl::StatusOr<std::vector<UnixSocket>> listed = sockets_->List(deadline);
  if (!listed.ok()) return listed.status();
  const SocketView view(*std::move(listed));
  const std::vector<const UnixSocket*> peers = view.BoundPeersOf(*own);

  std::set<uint64_t> wanted;
  for (FsDeviceFacts& device : *vm.devices.value) {
    const absl::StatusOr<std::string> path = SocketPath(qemu_pid, device);
    absl::StatusOr<SocketFacts> socket =
        path.ok() ? FindPeer(qemu_pid, *path, peers) : path.status();
    if (!socket.ok()) {
      ForgetBackEnd(Message(socket.status()), device.back_end);
      continue;
    }
    const std::string detail =
        absl::StrCat("QEMU process ", qemu_pid, ", peer socket ", socket->peer_inode);
    wanted.insert(socket->peer_inode);
    device.back_end.front_ends =
        Known(view.FrontEnds(socket->peer_inode), Source::kSockDiag, now, detail);
    device.back_end.socket = Known(*std::move(socket), Source::kSockDiag, now, detail);
  }
  const absl::StatusOr<SocketHolders> holders = holders_.Find(wanted, look, deadline);
  std::vector<BackEndFacts*> served;
  for (FsDeviceFacts& device : *vm.devices.value) {
    if (!device.back_end.socket.known()) continue;
    ObserveHolder(holders, {device.back_end.socket.value->peer_inode}, look, deadline,
                  device.back_end);
    served.push_back(&device.back_end);
  }
  keeper_observer_.Observe(served, view, look, deadline);
  return absl::OkStatus();
}

absl::StatusOr<std::string> HostDiscovery::SocketPath(int qemu_pid,
                                                      const FsDeviceFacts& device) const {
  if (!device.chardev.known()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the character device is unknown: ", device.chardev.detail));
  }
  if (!device.chardev.value->connected) {
    return absl::FailedPreconditionError(absl::StrCat("QEMU is not connected to its back-end (",
                                                      device.chardev.value->filename, ")"));
  }
  if (!device.chardev.value->socket_path.empty()) return device.chardev.value->socket_path;
  if (!device.chardev_label.known()) {
    return absl::FailedPreconditionError("QEMU tells neither path nor label of the socket");
  }
  const absl::StatusOr<std::vector<std::string>> arguments = procfs_.Cmdline(qemu_pid);
  if (!arguments.ok()) return arguments.status();
  return ChardevSocketPath(*arguments, *device.chardev_label.value);
}

absl::StatusOr<SocketFacts> HostDiscovery::FindPeer(
    int qemu_pid, const std::string& path, const std::vector<const UnixSocket*>& peers) const {
  const absl::StatusOr<FileSighting> seen = procfs_.Look(qemu_pid, path);
  // A missing file is a fact; one that may not be looked at is not.
  if (!seen.ok() && !absl::IsNotFound(seen.status())) return seen.status();
  const FileSighting file = seen.ok() ? *seen : FileSighting{};
  const std::vector<Mount> mounts = procfs_.Mounts(qemu_pid).value_or(std::vector<Mount>());
  std::vector<const UnixSocket*> by_file;
  std::vector<const UnixSocket*> by_name;
  for (const UnixSocket* const peer : peers) {
    if (seen.ok() && BoundTo(*peer, file, mounts)) {
      by_file.push_back(peer);
    } else if (peer->name == path) {
      by_name.push_back(peer);
    }
  }
  // The file decides; the name, as somebody once spelled it, only when no file fits.
  const std::vector<const UnixSocket*>& found = by_file.empty() ? by_name : by_file;
  if (found.size() != 1) {
    return absl::FailedPreconditionError(absl::StrCat("QEMU process ", qemu_pid, " has ",
                                                      found.size(), " connections to ", path,
                                                      " in vufd's network namespace, not one"));
  }
  return SocketFacts{path, BoundFile(*found.front(), file, mounts), file.file,
                     found.front()->inode};
}

void HostDiscovery::ObserveHolder(const absl::StatusOr<SocketHolders>& holders,
                                  const std::set<uint64_t>& inodes, Look look, absl::Time deadline,
                                  BackEndFacts& facts) const {
  if (!holders.ok()) {
    ForgetProcess(Message(holders.status()), facts);
    return;
  }
  std::set<int> pids;
  for (const uint64_t inode : inodes) {
    const auto it = holders->of.find(inode);
    if (it == holders->of.end()) continue;
    for (const SocketHolder& holder : it->second) pids.insert(holder.pid);
  }
  if (pids.empty()) {
    ForgetProcess(
        absl::StrCat("no process that vufd can see holds socket ", absl::StrJoin(inodes, ", "),
                     " (", holders->unreadable, " processes are closed to vufd)"),
        facts);
    return;
  }
  const absl::StatusOr<int> pid = observer_.ServingProcess({pids.begin(), pids.end()});
  if (!pid.ok()) {
    ForgetProcess(Message(pid.status()), facts);
    return;
  }
  observer_.Observe(*pid, look, deadline, facts);
}

EndpointSighting HostDiscovery::ObserveEndpoint(const std::string& path, absl::Time deadline) {
  EndpointSighting sighting;
  const auto stop = [&sighting](EndpointSighting::State state, const std::string& why) {
    sighting.state = state;
    sighting.error = why;
    ForgetBackEnd(why, sighting.back_end);
    return sighting;
  };
  if (path.empty() || path[0] != '/') {
    return stop(EndpointSighting::State::kUnknown,
                absl::StrCat("socket path \"", path, "\" is not absolute"));
  }
  const absl::StatusOr<FileSighting> file = LookAt(path);
  if (absl::IsNotFound(file.status())) {
    return stop(EndpointSighting::State::kAbsent, Message(file.status()));
  }
  if (!file.ok()) return stop(EndpointSighting::State::kUnknown, Message(file.status()));
  sighting.socket_file = file->file;
  if (!S_ISSOCK(file->mode)) {
    return stop(EndpointSighting::State::kAbsent, path + " is no socket");
  }
  absl::StatusOr<std::vector<UnixSocket>> listed = sockets_->List(deadline);
  if (!listed.ok()) return stop(EndpointSighting::State::kUnknown, Message(listed.status()));
  const SocketView view(*std::move(listed));
  const SocketSighting sockets =
      SocketsAt(view, *file, procfs_.OwnMounts().value_or(std::vector<Mount>()));
  if (sockets.served.empty()) {
    return stop(EndpointSighting::State::kAbsent,
                path + " is a socket that nobody serves in vufd's network namespace");
  }
  ObserveServer(path, sockets, view, deadline, sighting);
  return sighting;
}

void HostDiscovery::ObserveServer(const std::string& path, const SocketSighting& sockets,
                                  const SocketView& view, absl::Time deadline,
                                  EndpointSighting& sighting) {
  const absl::Time now = clock_->Now();
  const uint64_t first = *sockets.served.begin();
  sighting.state = sockets.front_ends > 0 ? EndpointSighting::State::kInUse
                                          : EndpointSighting::State::kListening;
  const std::string detail = absl::StrCat("socket ", first);
  BackEndFacts& facts = sighting.back_end;
  facts.socket =
      Known(SocketFacts{path, *sockets.file, *sockets.file, first}, Source::kSockDiag, now, detail);
  facts.front_ends = Known(sockets.front_ends, Source::kSockDiag, now, detail);
  ObserveHolder(holders_.Find(sockets.served, Look::kEverything, deadline), sockets.served,
                Look::kWhoIsWho, deadline, facts);
  keeper_observer_.Observe({&facts}, view, Look::kWhoIsWho, deadline);
}

std::vector<std::optional<SocketSighting>> HostDiscovery::ObserveSockets(
    const std::vector<std::string>& paths, absl::Time deadline) {
  std::vector<std::optional<SocketSighting>> all(paths.size());
  absl::StatusOr<std::vector<UnixSocket>> listed = sockets_->List(deadline);
  if (!listed.ok()) return all;
  const SocketView view(*std::move(listed));
  const std::vector<Mount> mounts = procfs_.OwnMounts().value_or(std::vector<Mount>());
  for (size_t i = 0; i < paths.size(); ++i) {
    const absl::StatusOr<FileSighting> file = LookAt(paths[i]);
    if (absl::IsNotFound(file.status()) || (file.ok() && !S_ISSOCK(file->mode))) {
      all[i].emplace();
    } else if (file.ok()) {
      all[i] = SocketsAt(view, *file, mounts);
    }
  }
  return all;
}

}  // namespace vuf
