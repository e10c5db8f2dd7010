// What is wrong with a device behind a keeper, or with a hand-over that only a keeper makes.
#include <utility>

#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using Phase = KeeperFacts::Phase;
using Role = KeeperFacts::Role;
using Spoil = std::function<void(Facts&)>;

// Both sides are connected to the same keeper, so it says the same to both.
void SetBoth(Facts& facts, const std::function<void(KeeperFacts&)>& change) {
  change(Keeper(Src(facts)));
  change(Keeper(Dst(facts)));
}

Spoil Both(std::function<void(KeeperFacts&)> change) {
  return [change = std::move(change)](Facts& f) { SetBoth(f, change); };
}

// A row that spoils SafeKeeperFacts().
void Add(RuleRows& rows, const char* what, Spoil spoil, std::set<std::string> codes) {
  rows.push_back({what, std::move(spoil), std::move(codes), Mode::kStateless,
                  [] { return SafeKeeperFacts(); }});
}

// Another keeper at the destination, fit to take a stateful migration from the source's.
void MakeTwoKeepers(Facts& f) {
  f.request.allow_stateless = false;
  f.request.allow_stateful = true;
  BackEndFacts& back_end = Be(Dst(f));
  back_end.process.value->pid += 50;
  *back_end.socket.value = {
      "/run/vuf/other.sock", {24, 7777}, {24, 7777}, back_end.socket.value->peer_inode};
  Keeper(Dst(f)).instance = std::string(32, 'e');
  Keeper(Dst(f)).session = std::string(32, 'f');
  Keeper(Dst(f)).front_ends.erase(Keeper(Dst(f)).front_ends.begin());
  Keeper(Src(f)).front_ends.pop_back();
}

// What a keeper could say one day of what is behind it.
void RevealShares(Facts& f) {
  VmFacts safe = SafeSource();
  const BackEndFacts& plain = Be(safe);
  for (VmFacts* vm : {&Src(f), &Dst(f)}) {
    Be(*vm).share = plain.share;
    Be(*vm).options = plain.options;
    Be(*vm).effective_capabilities = plain.effective_capabilities;
    Be(*vm).file_handles = plain.file_handles;
    Be(*vm).submounts = plain.submounts;
    Be(*vm).ids = plain.ids;
    Be(*vm).security_label = plain.security_label;
    Be(*vm).descriptors = plain.descriptors;
    Be(*vm).open_files = plain.open_files;
  }
}

Facts TwoKeepers() {
  Facts facts = SafeKeeperFacts();
  MakeTwoKeepers(facts);
  RevealShares(facts);
  return facts;
}

}  // namespace

void KeeperSessionRows(RuleRows& rows) {
  const auto role = [](size_t i, Role role) {
    return Both([i, role](KeeperFacts& k) { k.front_ends[i].role = role; });
  };
  Add(rows, "silent keeper", [](Facts& f) { Be(Src(f)).keeper = Unknown<KeeperFacts>("refused"); },
      {"KEEPER_UNKNOWN"});
  Add(rows, "no phase", [](Facts& f) { Keeper(Dst(f)).phase = Phase::kUnknown; },
      {"KEEPER_UNKNOWN"});
  Add(rows, "no instance", Both([](KeeperFacts& k) { k.instance.clear(); }), {"KEEPER_UNKNOWN"});
  Add(rows, "no session", Both([](KeeperFacts& k) { k.session.clear(); }), {"KEEPER_UNKNOWN"});
  Add(rows, "another keeper", [](Facts& f) { Keeper(Dst(f)).instance[0] = 'f'; },
      {"KEEPER_OTHER_INSTANCE"});
  Add(rows, "another session", [](Facts& f) { Keeper(Dst(f)).session[0] = '0'; },
      {"KEEPER_OTHER_INSTANCE"});
  Add(rows, "another process", [](Facts& f) { Be(Dst(f)).process.value->start_ticks += 1; },
      {"KEEPER_OTHER_INSTANCE"});
  Add(rows, "never drove", role(0, Role::kIdle), {"KEEPER_SOURCE_NOT_DRIVER"});
  Add(rows, "fenced", role(0, Role::kFenced), {"KEEPER_SOURCE_NOT_DRIVER"});
  Add(rows, "source unheard of", [](Facts& f) { Be(Src(f)).socket.value->peer_inode = 5; },
      {"KEEPER_SOURCE_NOT_DRIVER", "KEEPER_HAS_OTHER_FRONT_ENDS"});
  Add(rows, "destination drives", role(1, Role::kDriver), {"KEEPER_DESTINATION_NOT_IDLE"});
  Add(rows, "destination fenced", role(1, Role::kFenced), {"KEEPER_DESTINATION_NOT_IDLE"});
  Add(rows, "destination of no role", role(1, Role::kUnknown), {"KEEPER_DESTINATION_NOT_IDLE"});
  Add(rows, "destination gone", Both([](KeeperFacts& k) { k.front_ends.pop_back(); }),
      {"KEEPER_DESTINATION_NOT_IDLE"});
  for (const Phase phase : {Phase::kArmed, Phase::kSaved, Phase::kLoaded}) {
    Add(rows, "busy", Both([phase](KeeperFacts& k) { k.phase = phase; }), {"KEEPER_BUSY"});
  }
  Add(rows, "permitted to another", Both([](KeeperFacts& k) { k.permit = "m2"; }), {"KEEPER_BUSY"});
  Add(rows, "own permit, but not sequential",
      [](Facts& f) {
        f.request.own_permits["fs0"] = "m1";
        SetBoth(f, [](KeeperFacts& k) {
          k.phase = Phase::kArmed;
          k.permit = "m1";
        });
      },
      {"KEEPER_BUSY"});
  Add(rows, "leftover", Both([](KeeperFacts& k) {
        k.front_ends.push_back({1, Role::kFenced});
      }),
      {"KEEPER_HAS_OTHER_FRONT_ENDS"});
}

void KeeperBackEndRows(RuleRows& rows) {
  const auto state = [](ProcessState state) {
    return [state](Facts& f) {
      Kept(Src(f)).state = state;
      Kept(Dst(f)).state = state;
    };
  };
  Add(rows, "no back-end", Both([](KeeperFacts& k) { k.back_end_socket_inode = 0; }),
      {"KEEPER_BACK_END_DOWN"});
  Add(rows, "dead back-end", state(ProcessState::kZombie), {"KEEPER_BACK_END_DOWN"});
  Add(rows, "stopped back-end", state(ProcessState::kStopped), {"KEEPER_BACK_END_STOPPED"});
  Add(rows, "frozen back-end", state(ProcessState::kFrozen), {"KEEPER_BACK_END_FROZEN"});
  Add(rows, "waiting back-end", state(ProcessState::kUninterruptible),
      {"KEEPER_BACK_END_UNINTERRUPTIBLE"});
  Add(rows, "back-end in no state", state(ProcessState::kUnknown), {"FACT_UNKNOWN"});
  Add(rows, "unknown back-end", [](Facts& f) { Be(Src(f)).kept = Unknown<KeptBackEnd>("gone"); },
      {"FACT_UNKNOWN"});
  Add(rows, "unanswered", Both([](KeeperFacts& k) { k.unanswered = 1; }), {"KEEPER_UNANSWERED"});
  Add(rows, "LOG_ALL", Both([](KeeperFacts& k) { k.back_end_features &= ~(uint64_t{1} << 26); }),
      {"KEEPER_BACK_END_LACKS_DIRTY_LOG"});
  Add(rows, "LOG_SHMFD", Both([](KeeperFacts& k) { k.back_end_protocol_features &= ~uint64_t{2}; }),
      {"KEEPER_BACK_END_LACKS_DIRTY_LOG"});
  Add(rows, "C virtiofsd behind it, which needs no device state",
      Both([](KeeperFacts& k) { k.back_end_protocol_features &= ~(uint64_t{1} << 19); }), {});
}

void KeeperStatefulRows(RuleRows& rows) {
  Add(rows, "statefully to itself",
      [](Facts& f) {
        f.request.allow_stateless = false;
        f.request.allow_stateful = true;
      },
      {"KEEPER_STATEFUL_SAME_KEEPER"});
  Add(rows, "two keepers", MakeTwoKeepers, {"KEEPER_SHARE_UNKNOWN"});
  const auto add = [&rows](const char* what, Spoil spoil, std::set<std::string> codes) {
    rows.push_back({what, std::move(spoil), std::move(codes), Mode::kStateful, TwoKeepers});
  };
  add("two keepers with known shares", [](Facts&) {}, {});
  add("different shares", [](Facts& f) { Be(Dst(f)).share.value->root.inode += 1; },
      {"SHARE_DIFFERS"});
  add("one unknown share", [](Facts& f) { Be(Dst(f)).share = Unknown<ShareId>("hidden"); },
      {"KEEPER_SHARE_UNKNOWN"});
  add("unknown options", [](Facts& f) { Be(Src(f)).options = Unknown<BackEndOptions>("hidden"); },
      {"KEEPER_SHARE_UNKNOWN"});
  add("option", [](Facts& f) { Opt(Dst(f), "xattr") = "true"; }, {"OPTION_DIFFERS_HARMFULLY"});
  add("thread pool", [](Facts& f) { Opt(Src(f), "thread-pool-size") = "4"; },
      {"BACK_END_HAS_THREAD_POOL"});
  add("option not observed", [](Facts& f) { Be(Src(f)).options.value->erase("posix-acl"); },
      {"FACT_UNKNOWN"});
  for (const bool source : {true, false}) {
    add("hidden share",
        [source](Facts& f) {
          BackEndFacts& back_end = Be(source ? Src(f) : Dst(f));
          back_end.share = Unknown<ShareId>("hidden");
          back_end.file_handles = Unknown<bool>("hidden");
          back_end.submounts = Unknown<std::set<std::string>>("hidden");
          back_end.ids = Unknown<ProcessIds>("hidden");
          back_end.security_label = Unknown<std::string>("hidden");
          back_end.descriptors = Unknown<DescriptorFacts>("hidden");
          back_end.open_files = Unknown<OpenFileFacts>("hidden");
        },
        {"KEEPER_SHARE_UNKNOWN"});
  }
  add("submount", [](Facts& f) { Be(Dst(f)).submounts.value->clear(); }, {"SUBMOUNTS_DIFFER"});
  add("no handles", [](Facts& f) { Be(Src(f)).file_handles.value = false; },
      {"FILE_HANDLES_UNAVAILABLE"});
  add("device state",
      [](Facts& f) { Keeper(Dst(f)).back_end_protocol_features &= ~(uint64_t{1} << 19); },
      {"KEEPER_STATEFUL_WITHOUT_DEVICE_STATE"});
  const auto statelessly = [](Facts& f) {
    f.request.allow_stateless = true;
    f.request.allow_stateful = false;
  };
  add("two keepers, statelessly", statelessly, {"KEEPER_OTHER_INSTANCE"});
}

// Rules for all back-ends that must hold for a keeper, in the stateless mode.
void KeeperOtherRows(RuleRows& rows) {
  for (const bool source : {true, false}) {
    Add(rows, "keeper on one side",
        [source](Facts& f) {
          const Facts plain = SafeFacts();
          VmFacts& vm = source ? Src(f) : Dst(f);
          const FsDeviceFacts& device =
              (source ? plain.source : *plain.destination).devices.value->at(0);
          f.request.allow_stateful = true;
          f.request.allow_stateless = false;
          Fs(vm).back_end = device.back_end;
          Fs(vm).chardev = device.chardev;
          Keeper(source ? Dst(f) : Src(f))
              .front_ends.erase(Keeper(source ? Dst(f) : Src(f)).front_ends.begin() +
                                (source ? 0 : 1));
        },
        {"KEEPER_TO_PLAIN_BACK_END"});
  }
  Add(rows, "QEMU 8.1",
      [](Facts& f) {
        *Dst(f).qemu_version.value = {8, 1, 0};
      },
      {"QEMU_TOO_OLD", "DESTINATION_QEMU_OLDER"});
  Add(rows, "patched QEMU",
      [](Facts& f) {
        *Fs(Src(f)).migration_property.value = "external";
        *Fs(Dst(f)).migration_property.value = "external";
      },
      {"STATELESS_NEEDS_SEQUENTIAL_HAND_OVER"});
  Add(rows, "no marker", [](Facts& f) { Cap(Src(f), "vhost-user-fs") = true; },
      {"FS_CAPABILITY_ENABLED"});
  Add(rows, "dead chardev", [](Facts& f) { Fs(Src(f)).chardev.value->connected = false; },
      {"BACK_END_DISCONNECTED"});
  Add(rows, "rebound", [](Facts& f) { Be(Dst(f)).socket.value->file_at_path.inode += 1; },
      {"SOCKET_REBOUND"});
  Add(rows, "postmigrate", [](Facts& f) { *Src(f).run_state.value = "postmigrate"; },
      {"RUN_STATE_UNSUITABLE"});
  Add(rows, "private memory", [](Facts& f) { Dst(f).memory_backends.value->at(0).share = false; },
      {"MEMORY_NOT_SHARED"});
  Add(rows, "stopped keeper",
      [](Facts& f) { Be(Src(f)).process_state.value = ProcessState::kStopped; },
      {"BACK_END_STOPPED"});
  Add(rows, "young keeper",
      [](Facts& f) {
        for (VmFacts* vm : {&Src(f), &Dst(f)}) Be(*vm).process.value->start_ticks = 51500;
      },
      {"BACK_END_STARTED_AFTER_QEMU"});
  Add(rows, "replaced back-end behind an old keeper",
      [](Facts& f) {
        for (VmFacts* vm : {&Src(f), &Dst(f)}) Kept(*vm).process.start_ticks = 99000;
      },
      {});
  Add(rows, "ring",
      [](Facts& f) {
        Fs(Src(f)).ring_size.value = 1024;
        Dst(f).qemu_version.value = Version{11, 1, 3};
      },
      {"RING_TOO_LARGE"});
  Add(rows, "queues", [](Facts& f) { Fs(Dst(f)).request_queues.value = 2; },
      {"REQUEST_QUEUES_DIFFER"});
  Add(rows, "tag", [](Facts& f) { *Fs(Dst(f)).tag.value = "other"; }, {"TAG_DIFFERS"});
  Add(rows, "profile", [](Facts& f) { Be(Src(f)).profile_modes.value->stateless = false; },
      {"BACK_END_NOT_STATELESS"});
  Add(rows, "upgraded on disk", [](Facts& f) { Be(Src(f)).executable_deleted.value = true; },
      {"BACK_END_EXECUTABLE_REPLACED"});
  const auto registered = [](Facts& f) {
    RegisteredEndpoint endpoint = {"endpoints/e", Fs(Src(f)).chardev.value->socket_path};
    endpoint.process = *Be(Src(f)).process.value;
    endpoint.socket_file = Be(Src(f)).socket.value->bound_file;
    endpoint.boot_id = *f.boot_id.value;
    f.endpoints = {endpoint};
  };
  Add(rows, "registered", registered, {});
  Add(rows, "registered as another",
      [=](Facts& f) {
        registered(f);
        f.endpoints[0].process->pid += 1;
      },
      {"BACK_END_RESTARTED"});
}

}  // namespace vuf
