// What is wrong with a migration one after the other, or with shared memory.
#include <utility>

#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using Phase = KeeperFacts::Phase;
using Spoil = std::function<void(Facts&)>;

// Before the source has gone.
Facts FirstStage() {
  Facts facts = SafeKeeperFacts();
  facts.request.sequential = true;
  Keeper(facts.source).front_ends.pop_back();
  facts.destination.reset();
  return facts;
}

// Long after.
Facts SecondStage() {
  Facts facts = SafeKeeperFacts();
  MakeSecondStage(facts);
  return facts;
}

Facts SharedRam() {
  Facts facts = SafeKeeperFacts();
  MakeRamShared(facts);
  return facts;
}

void Add(RuleRows& rows, Facts (*world)(), const char* what, Spoil spoil,
         std::set<std::string> codes) {
  rows.push_back({what, std::move(spoil), std::move(codes), Mode::kStateless, world});
}

MemoryBackendFacts& Ram(VmFacts& vm) { return vm.memory_backends.value->front(); }

}  // namespace

void SequentialRows(RuleRows& rows) {
  Add(rows, FirstStage, "first stage", [](Facts&) {}, {});
  Add(rows, FirstStage, "has_destination or not",
      [](Facts& f) { f.request.has_destination = false; }, {});
  Add(rows, FirstStage, "no keeper",
      [](Facts& f) {
        f.request.allow_stateless = false;
        f.request.allow_stateful = true;
        f.source = SafeSource();
      },
      {"SEQUENTIAL_NEEDS_KEEPER"});
  Add(rows, FirstStage, "statefully",
      [](Facts& f) {
        f.request.allow_stateless = false;
        f.request.allow_stateful = true;
      },
      {"SEQUENTIAL_NEEDS_STATELESS"});
  Add(rows, FirstStage, "busy", [](Facts& f) { Keeper(Src(f)).phase = Phase::kArmed; },
      {"KEEPER_BUSY"});
  Add(rows, FirstStage, "old", [](Facts& f) { Be(Src(f)).keeper.observed_at -= absl::Minutes(1); },
      {"EVIDENCE_STALE"});
  Add(rows, FirstStage, "saved, and the destination does not show",
      [](Facts& f) { f.request.own_permits["fs0"] = "m1"; }, {"DESTINATION_NOT_GIVEN"});
  Add(rows, SecondStage, "second stage", [](Facts&) {}, {});
  Add(rows, SecondStage, "second stage, not called so",
      [](Facts& f) {
        f.request.has_destination = false;
        *Fs(Dst(f)).tag.value = "other";
      },
      {"TAG_DIFFERS"});
  Add(rows, SecondStage, "reused pid",
      [](Facts& f) { Dst(f).process.value->pid = Src(f).process.value->pid; }, {});
  for (const Phase phase : {Phase::kNone, Phase::kArmed, Phase::kLoaded}) {
    Add(rows, SecondStage, "phase", [phase](Facts& f) { Keeper(Dst(f)).phase = phase; },
        {"KEEPER_PERMIT_LOST"});
  }
  Add(rows, SecondStage, "other permit", [](Facts& f) { Keeper(Dst(f)).permit = "m2"; },
      {"KEEPER_PERMIT_LOST"});
  Add(rows, SecondStage, "another device's permit",
      [](Facts& f) {
        f.request.own_permits = {{"fs1", Keeper(Dst(f)).permit}};
      },
      {"KEEPER_PERMIT_LOST"});
  Add(rows, SecondStage, "no permit",
      [](Facts& f) {
        f.request.own_permits.clear();
        Keeper(Dst(f)).permit.clear();
      },
      {"KEEPER_PERMIT_LOST"});
  Add(rows, SecondStage, "source still there",
      [](Facts& f) {
        Keeper(Dst(f)).front_ends.push_back({95000, KeeperFacts::Role::kDriver});
      },
      {"KEEPER_DRIVER_REMAINS"});
  Add(rows, SecondStage, "another session", [](Facts& f) { Keeper(Dst(f)).session[0] = '0'; },
      {"KEEPER_OTHER_INSTANCE"});
  Add(rows, SecondStage, "dead back-end",
      [](Facts& f) { Kept(Dst(f)).state = ProcessState::kZombie; }, {"KEEPER_BACK_END_DOWN"});
  Add(rows, SecondStage, "old destination",
      [](Facts& f) { Be(Dst(f)).keeper.observed_at -= absl::Minutes(1); }, {"EVIDENCE_STALE"});
  Add(rows, SecondStage, "record from the future",
      [](Facts& f) { Be(Src(f)).keeper.observed_at += absl::Minutes(1); }, {"EVIDENCE_STALE"});
}

void SharedRamRows(RuleRows& rows) {
  Add(rows, SharedRam, "shared RAM", [](Facts&) {}, {});
  Add(rows, SharedRam, "which vufd switches on",
      [](Facts& f) { Cap(Src(f), "x-ignore-shared") = true; }, {});
  for (const bool source : {true, false}) {
    const auto side = [source](Facts& f) -> VmFacts& { return source ? Src(f) : Dst(f); };
    std::set<std::string> old = {"SHARED_RAM_QEMU_TOO_OLD", "QEMU_UNTRIED"};
    if (!source) old.insert("DESTINATION_QEMU_OLDER");
    Add(
        rows, SharedRam, "QEMU 9.2",
        [=](Facts& f) {
          *side(f).qemu_version.value = {9, 2, 4};
        },
        old);
    Add(rows, SharedRam, "no path known", [=](Facts& f) { Ram(side(f)).path.reset(); },
        {"SHARED_RAM_NOT_FILE_BACKED"});
    Add(rows, SharedRam, "memfd", [=](Facts& f) { Ram(side(f)).path = ""; },
        {"SHARED_RAM_NOT_FILE_BACKED"});
    Add(rows, SharedRam, "private", [=](Facts& f) { Ram(side(f)).share = false; },
        {"SHARED_RAM_NOT_FILE_BACKED", "MEMORY_NOT_SHARED"});
    Add(rows, SharedRam, "other file", [=](Facts& f) { Ram(side(f)).file->inode += 1; },
        {"SHARED_RAM_DIFFERENT_FILES"});
    Add(rows, SharedRam, "no file", [=](Facts& f) { Ram(side(f)).file.reset(); },
        {"SHARED_RAM_DIFFERENT_FILES"});
    Add(rows, SharedRam, "size", [=](Facts& f) { Ram(side(f)).size += 1; },
        {"SHARED_RAM_DIFFERENT_FILES"});
    Add(rows, SharedRam, "another backend",
        [=](Facts& f) {
          MemoryBackendFacts more = Ram(side(f));
          more.id = "mem1";
          side(f).memory_backends.value->push_back(more);
        },
        {"SHARED_RAM_DIFFERENT_FILES"});
    Add(rows, SharedRam, "capability",
        [=](Facts& f) { side(f).capabilities.value->erase("x-ignore-shared"); },
        {"SHARED_RAM_CAPABILITY_MISSING"});
  }
  Add(rows, SharedRam, "no file on either side",
      [](Facts& f) {
        Ram(Src(f)).file.reset();
        Ram(Dst(f)).file.reset();
      },
      {"SHARED_RAM_DIFFERENT_FILES"});
}

}  // namespace vuf
