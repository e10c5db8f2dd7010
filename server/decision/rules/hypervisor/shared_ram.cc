// Guest memory that both QEMUs map from one file, instead of a copy of it (x-ignore-shared).
#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"
#include "server/decision/tables.h"

namespace vuf {
namespace {

bool IsAsked(const World& world) { return world.facts().request.shared_ram; }

bool IsFileBacked(const MemoryBackendFacts& backend) {
  return backend.share && !backend.path.value_or("").empty();
}

void CheckVersion(const World& world, Report& report) {
  if (!IsAsked(world)) return;
  for (const VmView& vm : world.vms()) {
    const auto version = report.Need(vm, fact::kQemuVersion);
    if (!version || *version >= kQemuIgnoresNamedFilesOnly) continue;
    report.Add(vm.subject(),
               absl::StrFormat("QEMU %s leaves out all shared memory, not only what is in named "
                               "files; %s is the first that looks.",
                               version->ToString(), kQemuIgnoresNamedFilesOnly.ToString()),
               {version.Cite()});
  }
}

void CheckFileBacked(const World& world, Report& report) {
  if (!IsAsked(world)) return;
  for (const VmView& vm : world.vms()) {
    const auto backends = report.Need(vm, fact::kMemoryBackends);
    if (!backends) continue;
    std::vector<std::string> others;
    for (const MemoryBackendFacts& backend : *backends) {
      if (!IsFileBacked(backend)) others.push_back(backend.id);
    }
    if (others.empty()) continue;
    report.Add(vm.subject(),
               absl::StrFormat("Memory is not known to be in a named, shared file: %s.",
                               absl::StrJoin(others, ", ")),
               {backends.Cite()});
  }
}

// What speaks against `to` having the very memory of `from`; empty: nothing.
std::string Difference(const MemoryBackendFacts& from, const MemoryBackendFacts* to) {
  if (to == nullptr) return "is missing at the destination";
  if (from.size != to->size) {
    return absl::StrFormat("has %u bytes at the source and %u at the destination", from.size,
                           to->size);
  }
  if (!from.file.has_value() || SaysNothing(*from.file)) {
    return "is in a file that could not be identified at the source";
  }
  if (!to->file.has_value() || SaysNothing(*to->file)) {
    return "is in a file that could not be identified at the destination";
  }
  if (*from.file == *to->file) return "";
  return absl::StrFormat("is %s at the source and %s at the destination", ToText(*from.file),
                         ToText(*to->file));
}

const MemoryBackendFacts* Find(const std::vector<MemoryBackendFacts>& backends,
                               const std::string& id) {
  const auto it = std::find_if(backends.begin(), backends.end(),
                               [&](const MemoryBackendFacts& backend) { return backend.id == id; });
  return it == backends.end() ? nullptr : &*it;
}

void CheckSameFiles(const World& world, Report& report) {
  if (!IsAsked(world) || !world.destination()) return;
  const auto from = report.Need(world.source(), fact::kMemoryBackends);
  const auto to = report.Need(*world.destination(), fact::kMemoryBackends);
  if (!from || !to) return;
  const auto add = [&](const std::string& id, const std::string& what) {
    report.Add(world.destination()->subject(), absl::StrFormat("Memory %s %s.", id, what),
               {from.Cite(), to.Cite()});
  };
  for (const MemoryBackendFacts& backend : *from) {
    const MemoryBackendFacts* const other = Find(*to, backend.id);
    // What is in no file is reported as that.
    if (!IsFileBacked(backend) || (other != nullptr && !IsFileBacked(*other))) continue;
    if (const std::string what = Difference(backend, other); !what.empty()) add(backend.id, what);
  }
  for (const MemoryBackendFacts& backend : *to) {
    if (Find(*from, backend.id) == nullptr) add(backend.id, "is missing at the source");
  }
}

void CheckCapability(const World& world, Report& report) {
  if (!IsAsked(world)) return;
  for (const VmView& vm : world.vms()) {
    const auto capabilities = report.Need(vm, fact::kCapabilities);
    if (!capabilities || capabilities->count("x-ignore-shared") > 0) continue;
    report.Add(vm.subject(), "QEMU has no migration capability x-ignore-shared.",
               {capabilities.CiteAs("x-ignore-shared", "absent")});
  }
}

}  // namespace

VUFD_RULE(SHARED_RAM_QEMU_TOO_OLD) = {
    .hazards = "52",
    .scope = Scope::kEachSide,
    .cause =
        "Before 10.0, x-ignore-shared leaves out memory that the destination does not have "
        "(memfd): the guest would run on blank memory.",
    .remedy = "Use QEMU 10.0 or later on both sides, or let memory be copied.",
    .check = CheckVersion,
};

VUFD_RULE(SHARED_RAM_NOT_FILE_BACKED) = {
    .hazards = "52",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "Only memory in a named file can be the same at both sides; other memory would be blank "
        "at the destination, or is copied after all.",
    .remedy =
        "Let memory be copied, or start the VM with -object "
        "memory-backend-file,share=on,mem-path=FILE for all of it.",
    .check = CheckFileBacked,
};

VUFD_RULE(SHARED_RAM_DIFFERENT_FILES) = {
    .hazards = "52",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .cause =
        "Nothing of this memory travels, so the destination must map the source's own file; with "
        "another one the guest would run on blank or foreign memory.",
    .remedy =
        "Start the destination with the source's memory backends: the same ids, sizes and files. "
        "Or let memory be copied.",
    .check = CheckSameFiles,
};

VUFD_RULE(SHARED_RAM_CAPABILITY_MISSING) = {
    .hazards = "52",
    .scope = Scope::kEachSide,
    .cause = "Without the capability x-ignore-shared QEMU copies all memory.",
    .remedy = "Use a QEMU that has the capability, or let memory be copied.",
    .check = CheckCapability,
};

}  // namespace vuf
