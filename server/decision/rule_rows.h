// The table behind rules_test: for every code, what must be spoiled in the safe world to get it.
#ifndef VUFD_SERVER_DECISION_RULE_ROWS_H_
#define VUFD_SERVER_DECISION_RULE_ROWS_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "server/model/facts.h"
#include "tests/testing/safe_facts.h"

namespace vuf {

struct RuleRow {
  const char* what;
  std::function<void(Facts&)> spoil;
  // All the codes, and no others, that the verdict then has.
  std::set<std::string> codes;
  // What the verdict says when none of them blocks.
  Mode mode = Mode::kStateful;
  // What is spoiled.
  Facts (*world)() = [] { return SafeFacts(); };

  Facts Spoiled() const {
    Facts facts = world();
    spoil(facts);
    return facts;
  }
};
using RuleRows = std::vector<RuleRow>;

// Those of all the functions below.
RuleRows AllRows();

void RequestRows(RuleRows& rows);
void HypervisorRows(RuleRows& rows);
void CapabilityRows(RuleRows& rows);
void ProcedureRows(RuleRows& rows);
void KeeperSessionRows(RuleRows& rows);
void KeeperBackEndRows(RuleRows& rows);
void KeeperStatefulRows(RuleRows& rows);
void KeeperOtherRows(RuleRows& rows);
void SequentialRows(RuleRows& rows);
void SharedRamRows(RuleRows& rows);
void StatelessRows(RuleRows& rows);
void BackEndRows(RuleRows& rows);
void IdentityRows(RuleRows& rows);
void DeviceRows(RuleRows& rows);
void ShareRows(RuleRows& rows);
void FileRows(RuleRows& rows);
void ProcessRows(RuleRows& rows);
void OptionRows(RuleRows& rows);
void PolicyRows(RuleRows& rows);
void OtherHostRows(RuleRows& rows);

// Parts of the safe world, by the shortest names that can still be read.
inline VmFacts& Src(Facts& facts) { return facts.source; }
inline VmFacts& Dst(Facts& facts) { return *facts.destination; }
inline FsDeviceFacts& Fs(VmFacts& vm, size_t i = 0) { return (*vm.devices.value)[i]; }
inline BackEndFacts& Be(VmFacts& vm, size_t i = 0) { return Fs(vm, i).back_end; }
inline KeeperFacts& Keeper(VmFacts& vm, size_t i = 0) { return *Be(vm, i).keeper.value; }
inline KeptBackEnd& Kept(VmFacts& vm, size_t i = 0) { return *Be(vm, i).kept.value; }
inline std::string& Opt(VmFacts& vm, const char* name) { return (*Be(vm).options.value)[name]; }
inline bool& Cap(VmFacts& vm, const char* name) { return (*vm.capabilities.value)[name]; }

// Of device fs0 on both sides.
inline void SetOption(Facts& facts, const char* name, const char* value) {
  Opt(Src(facts), name) = value;
  Opt(Dst(facts), name) = value;
}

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_RULE_ROWS_H_
