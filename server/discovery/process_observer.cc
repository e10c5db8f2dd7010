#include "server/discovery/process_observer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/discovery/back_end_options.h"
#include "server/discovery/freezer.h"
#include "server/discovery/open_files.h"
#include "server/discovery/to_evidence.h"

namespace vuf {
namespace {

Evidence<ProcessState> StateOf(char letter, absl::Time at, const std::string& detail) {
  ProcessState state = ProcessState::kUnknown;
  switch (letter) {
    case 'R':
    case 'S':
    case 'I':
      state = ProcessState::kRunning;
      break;
    case 'D':
      state = ProcessState::kUninterruptible;
      break;
    case 'T':
    case 't':
      state = ProcessState::kStopped;
      break;
    case 'Z':
    case 'X':
      state = ProcessState::kZombie;
      break;
    default:
      return Unknown<ProcessState>(
          absl::StrCat(detail, ": state '", std::string(1, letter), "' has no known meaning"),
          Source::kProcfs);
  }
  return Known(state, Source::kProcfs, at, detail);
}

// A frozen process looks like one that sleeps.
Evidence<ProcessState> StateOf(const ProcStat& stat, const absl::StatusOr<bool>& frozen,
                               absl::Time at, const std::string& who) {
  Evidence<ProcessState> state = StateOf(stat.state, at, who);
  if (!state.known() || state.value == ProcessState::kZombie) return state;
  if (!frozen.ok()) {
    return Unknown<ProcessState>(
        absl::StrCat(who, ", whether it is frozen: ", frozen.status().message()), Source::kProcfs);
  }
  if (*frozen) state.value = ProcessState::kFrozen;
  return state;
}

// A child that has become another program differs from its parent in one of the two.
absl::StatusOr<bool> RunTheSame(const Procfs& procfs, int child, int parent) {
  const absl::StatusOr<ExeLink> exe = procfs.Exe(child);
  if (!exe.ok()) return exe.status();
  const absl::StatusOr<ExeLink> parents_exe = procfs.Exe(parent);
  if (!parents_exe.ok()) return parents_exe.status();
  const absl::StatusOr<std::vector<std::string>> line = procfs.Cmdline(child);
  if (!line.ok()) return line.status();
  const absl::StatusOr<std::vector<std::string>> parents_line = procfs.Cmdline(parent);
  if (!parents_line.ok()) return parents_line.status();
  return exe->path == parents_exe->path && *line == *parents_line;
}

// stat of the first of those that this one was forked from without becoming another program.
absl::StatusOr<ProcStat> Eldest(const Procfs& procfs, int pid, const ProcStat& stat) {
  // virtiofsd forks once.
  constexpr int kGenerations = 4;
  absl::StatusOr<ProcStat> eldest = stat;
  for (int i = 0; i < kGenerations && eldest.ok() && eldest->parent > 1; ++i) {
    const absl::StatusOr<bool> same = RunTheSame(procfs, pid, eldest->parent);
    if (!same.ok()) return same.status();
    if (!*same) break;
    eldest = procfs.Stat(eldest->parent);
  }
  return eldest;
}

}  // namespace

void ForgetProcess(const std::string& why, BackEndFacts& facts) {
  facts.process = Unknown<ProcessId>(why);
  facts.first_start_ticks = Unknown<uint64_t>(why);
  facts.process_state = Unknown<ProcessState>(why);
  facts.executable = Unknown<std::string>(why);
  facts.executable_deleted = Unknown<bool>(why);
  facts.version_line = Unknown<std::string>(why);
  facts.kind = Unknown<BackEndKind>(why);
  facts.version = Unknown<Version>(why);
  facts.options = Unknown<BackEndOptions>(why);
  facts.features = Unknown<std::set<std::string>>(why);
  facts.effective_capabilities = Unknown<uint64_t>(why);
  facts.share = Unknown<ShareId>(why);
  facts.file_handles = Unknown<bool>(why);
  facts.submounts = Unknown<std::set<std::string>>(why);
  facts.ids = Unknown<ProcessIds>(why);
  facts.security_label = Unknown<std::string>(why);
  facts.descriptors = Unknown<DescriptorFacts>(why);
  facts.open_files = Unknown<OpenFileFacts>(why);
  facts.keeper = Unknown<KeeperFacts>(why);
  facts.kept = Unknown<KeptBackEnd>(why);
}

bool IsKeeper(absl::string_view executable) {
  return executable.substr(executable.rfind('/') + 1) == "vuf-keeper";
}

void ProcessObserver::Observe(int pid, Look look, absl::Time deadline, BackEndFacts& facts) const {
  const absl::Time now = clock_->Now();
  const std::string who = absl::StrCat("process ", pid);
  const absl::StatusOr<ProcStat> before = procfs_->Stat(pid);
  if (!before.ok()) {
    ForgetProcess(absl::StrCat(who, ": ", before.status().message()), facts);
    return;
  }
  facts.process = Known(ProcessId{pid, before->start_ticks}, Source::kProcfs, now, who);
  const absl::StatusOr<ProcStat> eldest = Eldest(*procfs_, pid, *before);
  facts.first_start_ticks =
      ToEvidence(eldest.ok() ? absl::StatusOr<uint64_t>(eldest->start_ticks) : eldest.status(),
                 Source::kProcfs, now, who);
  facts.process_state = StateOf(*before, IsFrozen(*procfs_, pid), now, who);
  const absl::StatusOr<ProcStatus> status = procfs_->Status(pid);
  facts.effective_capabilities =
      ToEvidence(status.ok() ? absl::StatusOr<uint64_t>(status->effective_capabilities)
                             : absl::StatusOr<uint64_t>(status.status()),
                 Source::kProcfs, now, who);
  facts.ids = ToEvidence(Ids(pid, status), Source::kProcfs, now, who);
  facts.security_label = ToEvidence(procfs_->SecurityLabel(pid), Source::kProcfs, now, who);
  facts.descriptors = look == Look::kEverything
                          ? ToEvidence(Descriptors(pid, deadline), Source::kProcfs, now, who)
                          : Unknown<DescriptorFacts>(kNotLookedAt, Source::kProcfs);
  // It may be in its sandbox, and what forked it, too; not so whoever started that.
  ObserveExecutable(pid, eldest.ok() ? eldest->parent : pid, deadline, facts);
  ObserveOptions(pid, facts);
  share_observer_.Observe(pid, look, deadline, facts);
  // Last: all of the above is about one process only if it is still the same one.
  const absl::StatusOr<ProcStat> after = procfs_->Stat(pid);
  if (!after.ok() || after->start_ticks != before->start_ticks) {
    ForgetProcess(absl::StrCat(who, " changed while it was looked at"), facts);
  }
}

void ProcessObserver::ObserveExecutable(int pid, int root_pid, absl::Time deadline,
                                        BackEndFacts& facts) const {
  const absl::Time now = clock_->Now();
  const std::string link = procfs_->PathOf(pid, "exe");
  const absl::StatusOr<ExeLink> exe = procfs_->Exe(pid);
  const absl::StatusOr<ExecutableFacts> inspected =
      exe.ok() ? inspector_->Inspect(link, exe->path, procfs_->PathOf(root_pid, "root"), deadline)
               : exe.status();
  if (exe.ok()) {
    facts.executable = Known(exe->path, Source::kProcfs, now, link);
    facts.executable_deleted = Known(exe->deleted, Source::kProcfs, now, link);
  } else {
    facts.executable = Unknown<std::string>(std::string(exe.status().message()), Source::kProcfs);
    facts.executable_deleted = Unknown<bool>(std::string(exe.status().message()), Source::kProcfs);
  }
  constexpr Source kSource = Source::kBackEndExecutable;
  if (!inspected.ok()) {
    const std::string why(inspected.status().message());
    facts.version_line = Unknown<std::string>(why, kSource);
    facts.version = Unknown<Version>(why, kSource);
    facts.kind = Unknown<BackEndKind>(why, kSource);
    facts.features = Unknown<std::set<std::string>>(why, kSource);
    return;
  }
  facts.version_line = Known(inspected->version_line, kSource, now, link);
  facts.features = ToEvidence(inspected->features, kSource, now, link);
  if (inspected->version) {
    facts.version = Known(*inspected->version, kSource, now, link);
    facts.kind = Known(inspected->kind, kSource, now, link);
  } else {
    const std::string why = "its --version does not begin like a virtiofsd's";
    facts.version = Unknown<Version>(why, kSource);
    facts.kind = Unknown<BackEndKind>(why, kSource);
  }
}

void ProcessObserver::ObserveOptions(int pid, BackEndFacts& facts) const {
  const absl::Time now = clock_->Now();
  const std::string source = procfs_->PathOf(pid, "cmdline");
  const absl::StatusOr<std::vector<std::string>> arguments = procfs_->Cmdline(pid);
  if (!arguments.ok()) {
    facts.options =
        Unknown<BackEndOptions>(std::string(arguments.status().message()), Source::kProcfs);
  } else if (arguments->empty()) {
    facts.options = Unknown<BackEndOptions>(source + " is empty", Source::kProcfs);
  } else {
    facts.options = Known(NormalizeOptions(facts.kind.value.value_or(BackEndKind::kUnknown),
                                           facts.version.value.value_or(Version{}), *arguments),
                          Source::kProcfs, now, source);
  }
}

absl::StatusOr<ProcessIds> ProcessObserver::Ids(int pid,
                                                const absl::StatusOr<ProcStatus>& status) const {
  if (!status.ok()) return status.status();
  if (status->uid.empty() || status->gid.empty()) {
    return absl::InvalidArgumentError("its status has no readable Uid and Gid");
  }
  const absl::StatusOr<std::string> uid_map = procfs_->IdMap(pid, "uid_map");
  if (!uid_map.ok()) return uid_map.status();
  const absl::StatusOr<std::string> gid_map = procfs_->IdMap(pid, "gid_map");
  if (!gid_map.ok()) return gid_map.status();
  return ProcessIds{
      {"uid", status->uid}, {"gid", status->gid}, {"uid_map", *uid_map}, {"gid_map", *gid_map}};
}

absl::StatusOr<DescriptorFacts> ProcessObserver::Descriptors(int pid, absl::Time deadline) const {
  const absl::StatusOr<uint64_t> limit = procfs_->OpenFilesLimit(pid);
  if (!limit.ok()) return limit.status();
  const absl::StatusOr<uint64_t> open = CountDescriptors(*procfs_, pid, deadline);
  if (!open.ok()) return open.status();
  return DescriptorFacts{*open, *limit};
}

absl::StatusOr<int> ProcessObserver::ServingProcess(const std::vector<int>& pids) const {
  std::vector<int> candidates;
  std::vector<int> keepers;
  for (const int pid : pids) {
    const absl::StatusOr<ExeLink> exe = procfs_->Exe(pid);
    if (exe.ok() && inspector_->Allows(exe->path)) candidates.push_back(pid);
    if (exe.ok() && IsKeeper(exe->path)) keepers.push_back(pid);
  }
  if (!keepers.empty()) candidates = keepers;
  if (candidates.empty()) candidates = pids;
  std::vector<int> parents;
  for (const int pid : candidates) {
    const absl::StatusOr<ProcStat> stat = procfs_->Stat(pid);
    if (stat.ok()) parents.push_back(stat->parent);
  }
  const auto is_parent = [&parents](int pid) {
    return std::find(parents.begin(), parents.end(), pid) != parents.end();
  };
  candidates.erase(std::remove_if(candidates.begin(), candidates.end(), is_parent),
                   candidates.end());
  if (candidates.size() == 1) return candidates.front();
  return absl::FailedPreconditionError(
      absl::StrCat("several processes hold the back-end's socket (", absl::StrJoin(pids, ", "),
                   "): it cannot be told which one serves it"));
}

}  // namespace vuf
