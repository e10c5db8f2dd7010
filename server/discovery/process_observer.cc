#include "server/discovery/process_observer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/discovery/back_end_options.h"

namespace vuf {
namespace {

template <typename T>
Evidence<T> ToEvidence(absl::StatusOr<T> value, Source source, absl::Time at,
                       const std::string& detail) {
  if (!value.ok()) {
    return Unknown<T>(absl::StrCat(detail, ": ", value.status().message()), source);
  }
  return Known(*std::move(value), source, at, detail);
}

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

absl::StatusOr<Mount> FindMount(const absl::StatusOr<std::vector<Mount>>& mounts, uint64_t id) {
  if (!mounts.ok()) return mounts.status();
  for (const Mount& mount : *mounts) {
    if (mount.id == id) return mount;
  }
  return absl::NotFoundError(absl::StrCat("mount ", id, " is not in mountinfo"));
}

}  // namespace

void ForgetProcess(const std::string& why, BackEndFacts& facts) {
  facts.process = Unknown<ProcessId>(why);
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
  facts.keeper = Unknown<KeeperFacts>(why);
  facts.kept = Unknown<KeptBackEnd>(why);
}

bool IsKeeper(absl::string_view executable) {
  return executable.substr(executable.rfind('/') + 1) == "vuf-keeper";
}

void ProcessObserver::Observe(int pid, absl::Time deadline, BackEndFacts& facts) const {
  const absl::Time now = clock_->Now();
  const std::string who = absl::StrCat("process ", pid);
  const absl::StatusOr<ProcStat> before = procfs_->Stat(pid);
  if (!before.ok()) {
    ForgetProcess(absl::StrCat(who, ": ", before.status().message()), facts);
    return;
  }
  facts.process = Known(ProcessId{pid, before->start_ticks}, Source::kProcfs, now, who);
  facts.process_state = StateOf(before->state, now, who);
  const absl::StatusOr<ProcStatus> status = procfs_->Status(pid);
  facts.effective_capabilities =
      ToEvidence(status.ok() ? absl::StatusOr<uint64_t>(status->effective_capabilities)
                             : absl::StatusOr<uint64_t>(status.status()),
                 Source::kProcfs, now, who);
  ObserveExecutable(pid, deadline, facts);
  ObserveOptions(pid, facts);
  facts.share = ToEvidence(Share(pid, facts), Source::kFileSystem, now, who);
  // Last: all of the above is about one process only if it is still the same one.
  const absl::StatusOr<ProcStat> after = procfs_->Stat(pid);
  if (!after.ok() || after->start_ticks != before->start_ticks) {
    ForgetProcess(absl::StrCat(who, " changed while it was looked at"), facts);
  }
}

void ProcessObserver::ObserveExecutable(int pid, absl::Time deadline, BackEndFacts& facts) const {
  const absl::Time now = clock_->Now();
  const std::string link = procfs_->PathOf(pid, "exe");
  const absl::StatusOr<ExeLink> exe = procfs_->Exe(pid);
  const absl::StatusOr<ExecutableFacts> inspected =
      exe.ok() ? inspector_->Inspect(link, exe->path, deadline) : exe.status();
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

absl::StatusOr<ShareId> ProcessObserver::Share(int pid, const BackEndFacts& facts) const {
  if (!facts.kind.known()) {
    return absl::FailedPreconditionError("only of a virtiofsd it is known what it shares");
  }
  if (!facts.options.known()) return absl::FailedPreconditionError("its options are unknown");
  const BackEndOptions& options = *facts.options.value;
  const auto option = [&options](const std::string& name) {
    const auto it = options.find(name);
    return it == options.end() ? std::string() : it->second;
  };
  const std::string sandbox = option("sandbox");
  const bool confined = sandbox == "namespace" || sandbox == "chroot";
  if (!confined && (sandbox != "none" || option("shared-dir").empty())) {
    return absl::FailedPreconditionError(
        absl::StrCat("sandbox \"", sandbox, "\" does not tell where its shared directory is"));
  }
  const absl::StatusOr<FileSighting> root =
      procfs_->Look(pid, confined ? "/" : option("shared-dir"));
  if (!root.ok()) return root.status();
  const absl::StatusOr<FileSighting> own_root = LookAt("/");
  if (confined && own_root.ok() && own_root->file == root->file && option("shared-dir") != "/") {
    return absl::FailedPreconditionError("it is not in its sandbox, so its root is not the share");
  }
  if (!root->mount_id) return absl::UnimplementedError("this kernel does not tell mount ids");
  absl::StatusOr<Mount> mount = FindMount(procfs_->Mounts(pid), *root->mount_id);
  // After a plain chroot the process itself does not see the mount it is on; vufd may.
  if (!mount.ok()) mount = FindMount(procfs_->OwnMounts(), *root->mount_id);
  if (!mount.ok()) return mount.status();
  return ShareId{root->file, mount->file_system, mount->source, mount->read_only};
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
