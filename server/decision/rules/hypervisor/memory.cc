#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void Check(const World& world, Report& report) {
  for (const VmView& vm : world.vms()) {
    const auto backends = report.Need(vm, fact::kMemoryBackends);
    if (!backends) continue;
    std::vector<std::string> private_ones;
    for (const MemoryBackendFacts& backend : *backends) {
      if (!backend.share) private_ones.push_back(backend.id);
    }
    if (!backends->empty() && private_ones.empty()) continue;
    report.Add(vm.subject(),
               backends->empty()
                   ? "The VM has no memory backend object, so its memory is not shared."
                   : absl::StrFormat("Guest memory is not shared with back-ends: %s.",
                                     absl::StrJoin(private_ones, ", ")),
               {backends.Cite()});
  }
}

}  // namespace

VUFD_RULE(MEMORY_NOT_SHARED) = {
    .hazards = "51",
    .scope = Scope::kEachSide,
    .cause =
        "A back-end reads and writes guest memory, so the memory must be shared with it. "
        "Otherwise the guest's first access hangs, and the back-end dies.",
    .remedy =
        "Start QEMU with -object memory-backend-memfd,share=on (or -file) for all guest "
        "memory.",
    .check = Check,
};

}  // namespace vuf
