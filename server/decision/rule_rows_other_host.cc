// What is wrong with a destination on another host.
#include <utility>

#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

void Put(RuleRows& rows, const char* what, std::function<void(Facts&)> spoil,
         std::set<std::string> codes) {
  rows.push_back({what, std::move(spoil), std::move(codes), Mode::kStateful,
                  [] { return SafeOtherHostFacts(); }});
}

// Two machines, and a share that both have from one server.
void OnTwoMachines(Facts& f) {
  f.other_host->boot_id.value = "another boot";
  for (VmFacts* vm : {&Src(f), &Dst(f)}) {
    Be(*vm).share.value->file_system = "nfs4";
    Be(*vm).share.value->mount_source = "server:/export";
  }
}

void MachineRows(RuleRows& rows) {
  Put(rows, "two machines", OnTwoMachines, {"SHARE_NOT_PROVED_SAME"});
  Put(rows, "the same numbers on two machines",
      [](Facts& f) {
        OnTwoMachines(f);
        Dst(f).process = Src(f).process;
        Be(Dst(f)).process = Be(Src(f)).process;
        Be(Dst(f)).socket = Be(Src(f)).socket;
        Be(Dst(f)).share.value->root.device += 1;
      },
      {"SHARE_NOT_PROVED_SAME"});
  Put(rows, "another server",
      [](Facts& f) {
        OnTwoMachines(f);
        Be(Dst(f)).share.value->mount_source = "backup:/export";
      },
      {"SHARE_DIFFERS", "SHARE_NOT_PROVED_SAME"});
  Put(rows, "another directory of the server",
      [](Facts& f) {
        OnTwoMachines(f);
        Be(Dst(f)).share.value->root.inode += 1;
      },
      {"SHARE_DIFFERS", "SHARE_NOT_PROVED_SAME"});
  Put(rows, "a local file system on two machines",
      [](Facts& f) { f.other_host->boot_id.value = "another boot"; }, {"SHARE_IS_LOCAL"});
}

}  // namespace

void OtherHostRows(RuleRows& rows) {
  Put(rows, "another agent on this machine", [](Facts&) {}, {});
  Put(rows, "its agent does not answer",
      [](Facts& f) { f.other_host->boot_id = Unknown<std::string>("no answer"); },
      {"FACT_UNKNOWN", "SHARE_IS_LOCAL"});
  Put(rows, "its agent refuses",
      [](Facts& f) { f.other_host->refusals = {"POLICY_HOLD: storage is moved."}; },
      {"OTHER_HOST_REFUSES"});
  Put(rows, "memory shared with another host",
      [](Facts& f) {
        MakeRamShared(f);
        for (VmFacts* vm : {&Src(f), &Dst(f)}) Cap(*vm, "x-ignore-shared") = false;
      },
      {"SHARED_RAM_NEEDS_SAME_HOST"});
  Put(rows, "TLS at one end", [](Facts& f) { Dst(f).tls_creds.value = ""; },
      {"STREAM_TLS_DIFFERS"});
  Put(rows, "no TLS",
      [](Facts& f) {
        Src(f).tls_creds.value = "";
        Dst(f).tls_creds.value = "";
      },
      {"STREAM_NOT_ENCRYPTED"});
  Put(rows, "policy for this host only",
      [](Facts& f) {
        f.policy.value->other_host = {false, "migrationPolicies/p@2"};
      },
      {"POLICY_FORBIDS_SCOPE"});
  Put(rows, "no policy for other hosts", [](Facts& f) { f.policy.value->other_host = {}; },
      {"POLICY_FORBIDS_SCOPE"});
  Put(rows, "policy for other hosts only",
      [](Facts& f) {
        f.policy.value->same_host = {false, "migrationPolicies/p@2"};
      },
      {});
  // MST's case: what may restart here may not therefore go elsewhere.
  rows.push_back({"the stateless mode, and another host",
                  [](Facts& f) {
                    f.other_host = SafeOtherHostFacts().other_host;
                    for (VmFacts* vm : {&Src(f), &Dst(f)}) vm->tls_creds.value = "tls0";
                    f.policy.value->other_host = f.policy.value->same_host;
                  },
                  {"STATELESS_NEEDS_SAME_HOST", "KEEPER_NEEDS_SAME_HOST"},
                  Mode::kStateless,
                  [] { return SafeKeeperFacts(); }});
  MachineRows(rows);
}

}  // namespace vuf
