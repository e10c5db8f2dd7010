#include "server/discovery/keeper_observer.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

// One that does not answer must not cost the others their time.
constexpr absl::Duration kAskLimit = absl::Seconds(2);

bool HasKeeper(const BackEndFacts& facts) {
  return facts.process.known() && facts.executable.known() && IsKeeper(*facts.executable.value);
}

// Before anything is known of what is behind it.
void Hide(const std::string& why, BackEndFacts& facts) {
  facts.options = Unknown<BackEndOptions>(why);
  facts.share = Unknown<ShareId>(why);
  facts.features = Unknown<std::set<std::string>>("vuf-keeper has none of its own");
  facts.effective_capabilities = Unknown<uint64_t>("vuf-keeper opens no file of the share");
  facts.file_handles = Unknown<bool>(why);
  facts.submounts = Unknown<std::set<std::string>>(why);
  facts.ids = Unknown<ProcessIds>(why);
  facts.security_label = Unknown<std::string>(why);
  facts.descriptors = Unknown<DescriptorFacts>(why);
  facts.open_files = Unknown<OpenFileFacts>(why);
}

// Whose process and executable are known.
Evidence<KeptBackEnd> KeptOf(const BackEndFacts& behind, const std::string& detail) {
  if (!behind.process_state.known()) {
    return Unknown<KeptBackEnd>(behind.process_state.detail, behind.process_state.source);
  }
  return Known(
      KeptBackEnd{*behind.process.value, *behind.process_state.value, *behind.executable.value},
      Source::kSockDiag, behind.process.observed_at, detail);
}

}  // namespace

absl::StatusOr<std::string> ControlSocketOption(const std::vector<std::string>& arguments) {
  constexpr absl::string_view kOption = "--control-socket";
  std::string path;
  for (size_t i = 1; i < arguments.size(); ++i) {
    absl::string_view argument = arguments[i];
    if (!absl::ConsumePrefix(&argument, kOption)) continue;
    if (absl::ConsumePrefix(&argument, "=")) {
      path = std::string(argument);
    } else if (argument.empty() && i + 1 < arguments.size()) {
      path = arguments[++i];
    }
  }
  if (path.empty()) return absl::NotFoundError("its command line has no --control-socket PATH");
  return path;
}

absl::StatusOr<std::string> KeeperObserver::ControlSocket(int pid) const {
  const absl::StatusOr<std::vector<std::string>> arguments = procfs_->Cmdline(pid);
  if (!arguments.ok()) return arguments.status();
  absl::StatusOr<std::string> path = ControlSocketOption(*arguments);
  if (!path.ok()) return path;
  if ((*path)[0] != '/') return procfs_->PathOf(pid, absl::StrCat("cwd/", *path));
  const absl::StatusOr<bool> same = procfs_->SeesOwnFiles(pid);
  if (!same.ok()) return same.status();
  return *same ? path : procfs_->PathOf(pid, absl::StrCat("root", *path));
}

void KeeperObserver::Ask(absl::Time deadline, BackEndFacts& facts) const {
  const absl::Time now = clock_->Now();
  constexpr Source kSource = Source::kBackEndExecutable;
  const ProcessId process = *facts.process.value;
  const std::string who = absl::StrCat("keeper, process ", process.pid);
  facts.version_line = Unknown<std::string>("a keeper is asked on its control socket", kSource);
  absl::StatusOr<KeeperFacts> answer =
      absl::FailedPreconditionError("this vufd has no means to ask a keeper");
  if (keepers_ != nullptr) {
    const absl::StatusOr<std::string> path = ControlSocket(process.pid);
    answer = path.ok()
                 ? keepers_->Look({*path, process, ""}, std::min(deadline, absl::Now() + kAskLimit))
                 : path.status();
  }
  if (!answer.ok()) {
    const std::string why = absl::StrCat(who, ": ", answer.status().message());
    facts.keeper = Unknown<KeeperFacts>(why, kSource);
    facts.kind = Unknown<BackEndKind>(why, kSource);
    facts.version = Unknown<Version>(why, kSource);
    return;
  }
  facts.kind = Known(BackEndKind::kKeeper, kSource, now, who);
  const std::optional<Version> version = Version::Parse(answer->version);
  facts.version =
      version ? Known(*version, kSource, now, who)
              : Unknown<Version>(absl::StrCat(who, ": \"", answer->version, "\" is no version"),
                                 kSource);
  facts.keeper = Known(*std::move(answer), kSource, now, who);
}

absl::StatusOr<uint64_t> KeeperObserver::KeptSocket(const BackEndFacts& facts,
                                                    const SocketView& view) const {
  if (!facts.keeper.known()) return absl::FailedPreconditionError(facts.keeper.detail);
  const int pid = facts.process.value->pid;
  const uint64_t inode = facts.keeper.value->back_end_socket_inode;
  const absl::StatusOr<std::vector<uint64_t>> own = procfs_->Sockets(pid);
  if (!own.ok()) return own.status();
  if (inode == 0 || std::find(own->begin(), own->end(), inode) == own->end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("keeper, process ", pid, ", names socket ", inode,
                     " as its connection to the back-end and has no such socket"));
  }
  const uint64_t peer = view.PeerOf(inode);
  if (peer == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "socket ", inode, " of the keeper has no other end in vufd's network namespace"));
  }
  return peer;
}

void KeeperObserver::ObserveKept(const absl::StatusOr<uint64_t>& socket,
                                 const absl::StatusOr<SocketHolders>& holders, Look look,
                                 absl::Time deadline, BackEndFacts& facts) const {
  const auto hide = [&facts](const std::string& why) {
    facts.kept = Unknown<KeptBackEnd>(why, Source::kSockDiag);
    Hide(why, facts);
  };
  if (!socket.ok()) return hide(std::string(socket.status().message()));
  if (!holders.ok()) return hide(std::string(holders.status().message()));
  std::vector<int> pids;
  if (const auto found = holders->of.find(*socket); found != holders->of.end()) {
    // A keeper that made the pair itself may hold both ends.
    for (const SocketHolder& holder : found->second) {
      if (holder.pid != facts.process.value->pid) pids.push_back(holder.pid);
    }
  }
  if (pids.empty()) {
    return hide(absl::StrCat("no process that vufd can see holds socket ", *socket, ", which the ",
                             "keeper is connected to"));
  }
  const absl::StatusOr<int> pid = processes_->ServingProcess(pids);
  if (!pid.ok()) return hide(std::string(pid.status().message()));
  BackEndFacts behind;
  processes_->Observe(*pid, look, deadline, behind);
  if (!behind.process.known()) return hide(behind.process.detail);
  if (!behind.executable.known()) return hide(behind.executable.detail);
  Hide("", facts);
  facts.options = behind.options;
  facts.share = behind.share;
  facts.file_handles = behind.file_handles;
  facts.submounts = behind.submounts;
  facts.ids = behind.ids;
  facts.security_label = behind.security_label;
  facts.descriptors = behind.descriptors;
  facts.open_files = behind.open_files;
  facts.kept = KeptOf(behind, absl::StrCat("process ", *pid, ", peer socket ", *socket));
}

void KeeperObserver::Observe(const std::vector<BackEndFacts*>& back_ends, const SocketView& view,
                             Look look, absl::Time deadline) const {
  std::vector<std::pair<BackEndFacts*, absl::StatusOr<uint64_t>>> found;
  std::set<uint64_t> wanted;
  for (BackEndFacts* const facts : back_ends) {
    if (!HasKeeper(*facts)) continue;
    Ask(deadline, *facts);
    const absl::StatusOr<uint64_t> socket = KeptSocket(*facts, view);
    if (socket.ok()) wanted.insert(*socket);
    found.emplace_back(facts, socket);
  }
  if (found.empty()) return;
  const absl::StatusOr<SocketHolders> holders = holders_->Find(wanted, look, deadline);
  for (const auto& [facts, socket] : found) ObserveKept(socket, holders, look, deadline, *facts);
}

}  // namespace vuf
