// Two things spoiled give both reasons, for every pair of rows in one world: no rule looks away
// because of something that it does not rest on.
#include <algorithm>
#include <any>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/decision/each_fact.h"
#include "server/decision/evaluate.h"
#include "server/decision/rule_rows.h"

namespace vuf {
namespace {

using Codes = std::set<std::string>;

Codes CodesOf(const Verdict& verdict) {
  Codes codes;
  for (const Finding& finding : verdict.blockers) codes.insert(finding.code);
  for (const Finding& finding : verdict.warnings) codes.insert(finding.code);
  return codes;
}

// A part of the facts that can be changed by itself, to be compared with another.
class Atom {
 public:
  template <typename T>
  explicit Atom(T value)
      : value_(value), equals_([value](const std::any& other) {
          const T* const same = std::any_cast<T>(&other);
          return same != nullptr && *same == value;
        }) {}
  bool operator==(const Atom& other) const { return equals_(other.value_); }

 private:
  std::any value_;
  std::function<bool(const std::any&)> equals_;
};
using Atoms = std::map<std::string, Atom>;

// Splits what several rows change in different places.
template <typename T>
void Split(const std::string& at, const T& value, Atoms& atoms) {
  atoms.emplace(at, Atom(value));
}
template <typename V>
void Split(const std::string& at, const std::map<std::string, V>& map, Atoms& atoms) {
  for (const auto& [key, value] : map) Split(absl::StrCat(at, ".", key), value, atoms);
}
// What nobody can have observed is not there.
void Split(const std::string& at, const ProcessId& process, Atoms& atoms) {
  if (process.pid == 0) return;
  Split(at + ".pid", process.pid, atoms);
  Split(at + ".start", process.start_ticks, atoms);
}
void Split(const std::string& at, const SocketFacts& socket, Atoms& atoms) {
  if (socket.peer_inode != 0) atoms.emplace(at, Atom(socket));
}
void Split(const std::string& at, const OpenFileFacts& files, Atoms& atoms) {
  if (files.looked_at != 0) atoms.emplace(at, Atom(files));
}
void Split(const std::string& at, const ShareId& share, Atoms& atoms) {
  Split(at + ".root", share.root, atoms);
  Split(at + ".file_system", share.file_system, atoms);
  Split(at + ".read_only", share.mount_read_only, atoms);
}
void Split(const std::string& at, const ChardevFacts& chardev, Atoms& atoms) {
  Split(at + ".filename", chardev.filename, atoms);
  if (!chardev.socket_path.empty()) Split(at + ".path", chardev.socket_path, atoms);
  Split(at + ".connected", chardev.connected, atoms);
}
void Split(const std::string& at, const KeptBackEnd& kept, Atoms& atoms) {
  Split(at + ".process", kept.process, atoms);
  Split(at + ".state", kept.state, atoms);
}
void Split(const std::string& at, const KeeperFacts& keeper, Atoms& atoms) {
  Split(at + ".instance", keeper.instance, atoms);
  Split(at + ".session", keeper.session, atoms);
  for (size_t i = 0; i < keeper.front_ends.size(); ++i) {
    Split(absl::StrCat(at, ".front_ends.", i), keeper.front_ends[i], atoms);
  }
  Split(at + ".phase", keeper.phase, atoms);
  Split(at + ".permit", keeper.permit, atoms);
  Split(at + ".features", keeper.back_end_features, atoms);
  Split(at + ".protocol", keeper.back_end_protocol_features, atoms);
  Split(at + ".back_end", keeper.back_end_socket_inode, atoms);
  Split(at + ".unanswered", keeper.unanswered, atoms);
}
void Split(const std::string& at, const std::vector<MemoryBackendFacts>& all, Atoms& atoms) {
  for (const MemoryBackendFacts& memory : all) {
    Split(absl::StrCat(at, ".", memory.id, ".share"), memory.share, atoms);
    Split(absl::StrCat(at, ".", memory.id, ".path"), memory.path, atoms);
    Split(absl::StrCat(at, ".", memory.id, ".file"), memory.file, atoms);
    Split(absl::StrCat(at, ".", memory.id, ".size"), memory.size, atoms);
  }
}
void Split(const std::string& at, const EffectivePolicy& policy, Atoms& atoms) {
  for (const DevicePolicy& device : policy.devices) {
    if (device.modes.value) Split(at + "." + device.device, *device.modes.value, atoms);
  }
  if (policy.same_host.value) Split(at + ".same_host", *policy.same_host.value, atoms);
  if (policy.other_host.value) Split(at + ".other_host", *policy.other_host.value, atoms);
  if (policy.window.value) Split(at + ".window", *policy.window.value, atoms);
  Split(at + ".holds", policy.holds, atoms);
  Split(at + ".limits", policy.limits, atoms);
}
// Their facts are visited one by one.
void Split(const std::string& at, const std::vector<FsDeviceFacts>& devices, Atoms& atoms) {
  for (const FsDeviceFacts& device : devices) Split(at + "." + device.id, device.type, atoms);
}

template <typename T>
void SplitEvidence(const std::string& at, const Evidence<T>& evidence, Atoms& atoms) {
  const bool usable =
      evidence.known() && evidence.source != Source::kNobody && evidence.observed_at == SafeTime();
  if (usable) Split(at, *evidence.value, atoms);
}

// `facts` is not constant only because ForEachVmFact is for all uses.
void SplitVm(const std::string& at, VmFacts& vm, Atoms& atoms) {
  ForEachVmFact(at, vm, [&](const std::string& name, auto& evidence) {
    SplitEvidence(name, evidence, atoms);
  });
  for (const FsDeviceFacts& device : *vm.devices.value) {
    SplitEvidence(absl::StrCat(at, device.id, ".ring_size"), device.ring_size, atoms);
  }
  Split(at + "qmp_socket", vm.qmp_socket, atoms);
}

Atoms AtomsOf(Facts facts) {
  Atoms atoms;
  const Request& request = facts.request;
  // What is not permitted, or not named, is not there.
  if (request.allow_stateless) Split("request.stateless", true, atoms);
  if (request.allow_stateful) Split("request.stateful", true, atoms);
  if (request.has_destination) Split("request.destination", true, atoms);
  Split("request.own_permits", request.own_permits, atoms);
  Split("boot_id", facts.boot_id, atoms);
  if (facts.other_host) {
    SplitEvidence("other_host.boot_id", facts.other_host->boot_id, atoms);
    Split("other_host.refusals", facts.other_host->refusals, atoms);
  }
  SplitEvidence("policy", facts.policy, atoms);
  Split("running_migration", facts.running_migration, atoms);
  Split("endpoints", facts.endpoints.size(), atoms);
  SplitVm("source.", facts.source, atoms);
  if (facts.destination) SplitVm("destination.", *facts.destination, atoms);
  return atoms;
}

// What differs between the two: names of parts.
std::set<std::string> Difference(const Atoms& a, const Atoms& b) {
  std::set<std::string> names;
  for (const auto& [name, atom] : a) {
    const auto other = b.find(name);
    if (other == b.end() || !(other->second == atom)) names.insert(name);
  }
  for (const auto& [name, atom] : b) {
    if (a.count(name) == 0) names.insert(name);
  }
  return names;
}

struct Spoil {
  const RuleRow* row;
  std::set<std::string> touched;
  // It took something away: a value, a device, a side, a mode.
  bool takes_away;
};

Spoil SpoilOf(const RuleRow& row) {
  const Atoms before = AtomsOf(row.world());
  const Atoms after = AtomsOf(row.Spoiled());
  const std::set<std::string> touched = Difference(before, after);
  const bool takes_away = std::any_of(touched.begin(), touched.end(), [&](const auto& part) {
    // With another kind of back-end everything about it means something else.
    return after.count(part) == 0 || absl::EndsWith(part, ".kind");
  });
  return {&row, touched, takes_away};
}

bool Overlap(const std::set<std::string>& a, const std::set<std::string>& b) {
  return std::any_of(a.begin(), a.end(), [&](const auto& name) { return b.count(name) > 0; });
}

// Reasons that rest on another part than the one that is wrong: a different one there ends them, or
// is itself the better reason.
struct Support {
  const char* code;
  // In the name of the part.
  const char* part;
};
constexpr Support kSupports[] = {
    {"BACK_END_LACKS_DAC_READ_SEARCH", ".options.migration-mode"},
    {"BACK_END_STATE_FORMAT", ".back_end.version"},
    {"DESTINATION_QEMU_OLDER", ".qemu_version"},
    {"DRIVER_NOT_RUNNING", ".run_state"},
    {"FILE_HANDLES_DOUBTFUL", ".options.migration-mode"},
    {"FILE_HANDLES_UNAVAILABLE", ".options.migration-mode"},
    {"KEEPER_DESTINATION_NOT_IDLE", ".keeper.front_ends"},
    {"KEEPER_STATEFUL_SAME_KEEPER", ".keeper.instance"},
    {"RING_TOO_LARGE", ".qemu_version"},
    {"RING_TOO_LARGE", ".queue_size"},
    {"SHARED_RAM_DIFFERENT_FILES", ".memory_backends"},
    {"STATELESS_NOT_SUPPORTED_BY_QEMU", ".migration_property"},
    {"SUBMOUNTS_DIFFER", ".submounts"},
};

bool RestsOn(const std::string& code, const std::set<std::string>& parts) {
  return std::any_of(std::begin(kSupports), std::end(kSupports), [&](const Support& support) {
    return code == support.code &&
           std::any_of(parts.begin(), parts.end(), [&](const std::string& part) {
             return absl::StrContains(part, support.part);
           });
  });
}

// The reasons of `row` that must be in the verdict although `other` spoils the world, too. Where it
// takes a part away, they may rest on that part.
void AddExpected(const Spoil& row, const Spoil& other, Codes& codes) {
  if (other.takes_away) return;
  for (const std::string& code : row.row->codes) {
    if (!RestsOn(code, other.touched)) codes.insert(code);
  }
}

// In parts that run beside each other.
constexpr int kParts = 4;

// Calls `visit` for each two rows that spoil the same world, in places of their own: one part of
// kParts of all pairs.
template <typename Visit>
void ForEachPair(const RuleRows& rows, int part, Visit visit) {
  std::vector<Spoil> spoils;
  for (const RuleRow& row : rows) spoils.push_back(SpoilOf(row));
  for (size_t i = part; i < spoils.size(); i += kParts) {
    for (size_t j = i + 1; j < spoils.size(); ++j) {
      const Spoil& a = spoils[i];
      const Spoil& b = spoils[j];
      if (a.row->world == b.row->world && !Overlap(a.touched, b.touched)) visit(a, b);
    }
  }
}

class RulePairsTest : public testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Parts, RulePairsTest, testing::Range(0, kParts));

TEST_P(RulePairsTest, TwoThingsSpoiledGiveBothReasons) {
  const RuleRows rows = AllRows();
  int pairs = 0;
  ForEachPair(rows, GetParam(), [&](const Spoil& a, const Spoil& b) {
    Codes expected;
    AddExpected(a, b, expected);
    AddExpected(b, a, expected);
    if (expected.empty()) return;
    ++pairs;
    // What the one takes away the other cannot spoil any more.
    const Spoil& first = a.takes_away ? b : a;
    const Spoil& second = a.takes_away ? a : b;
    Facts facts = first.row->Spoiled();
    second.row->spoil(facts);
    const Verdict verdict = Evaluate(facts);
    const Codes codes = CodesOf(verdict);
    for (const std::string& code : expected) {
      EXPECT_EQ(codes.count(code), 1u) << code << ": " << a.row->what << ", " << b.row->what;
    }
  });
  EXPECT_GE(pairs, 2'500);
}

}  // namespace
}  // namespace vuf
