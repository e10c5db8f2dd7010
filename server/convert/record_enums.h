// Numbers of the model's enumerators in a record. A switch, so that the compiler asks for a new
// enumerator's number; none past the last one. Enumerators count up from 0.
#ifndef VUFD_SERVER_CONVERT_RECORD_ENUMS_H_
#define VUFD_SERVER_CONVERT_RECORD_ENUMS_H_

#include <optional>

#include "server/model/back_end.h"
#include "server/model/evidence.h"
#include "server/model/verdict.h"
#include "vuf/record/v1/facts.pb.h"

namespace vuf::record {

inline std::optional<int> NumberOf(Source source) {
  switch (source) {
    case Source::kNobody:
      return v1::SOURCE_RECORD_UNSPECIFIED;
    case Source::kQmp:
      return v1::SOURCE_RECORD_QMP;
    case Source::kProcfs:
      return v1::SOURCE_RECORD_PROCFS;
    case Source::kSockDiag:
      return v1::SOURCE_RECORD_SOCK_DIAG;
    case Source::kBackEndExecutable:
      return v1::SOURCE_RECORD_BACK_END_EXECUTABLE;
    case Source::kProfile:
      return v1::SOURCE_RECORD_PROFILE;
    case Source::kRegistry:
      return v1::SOURCE_RECORD_REGISTRY;
    case Source::kRequest:
      return v1::SOURCE_RECORD_REQUEST;
    case Source::kFileSystem:
      return v1::SOURCE_RECORD_FILE_SYSTEM;
    case Source::kPeer:
      return v1::SOURCE_RECORD_PEER;
  }
  return std::nullopt;
}

inline std::optional<int> NumberOf(Side side) {
  switch (side) {
    case Side::kNone:
      return v1::SIDE_RECORD_UNSPECIFIED;
    case Side::kSource:
      return v1::SIDE_RECORD_SOURCE;
    case Side::kDestination:
      return v1::SIDE_RECORD_DESTINATION;
  }
  return std::nullopt;
}

inline std::optional<int> NumberOf(ProcessState state) {
  switch (state) {
    case ProcessState::kUnknown:
      return v1::PROCESS_STATE_RECORD_UNSPECIFIED;
    case ProcessState::kRunning:
      return v1::PROCESS_STATE_RECORD_RUNNING;
    case ProcessState::kStopped:
      return v1::PROCESS_STATE_RECORD_STOPPED;
    case ProcessState::kZombie:
      return v1::PROCESS_STATE_RECORD_ZOMBIE;
    case ProcessState::kUninterruptible:
      return v1::PROCESS_STATE_RECORD_UNINTERRUPTIBLE;
    case ProcessState::kFrozen:
      return v1::PROCESS_STATE_RECORD_FROZEN;
  }
  return std::nullopt;
}

inline std::optional<int> NumberOf(BackEndKind kind) {
  switch (kind) {
    case BackEndKind::kUnknown:
      return v1::BACK_END_KIND_RECORD_UNSPECIFIED;
    case BackEndKind::kVirtiofsd:
      return v1::BACK_END_KIND_RECORD_VIRTIOFSD;
    case BackEndKind::kVirtiofsdC:
      return v1::BACK_END_KIND_RECORD_VIRTIOFSD_C;
    case BackEndKind::kFilestoreVhost:
      return v1::BACK_END_KIND_RECORD_FILESTORE_VHOST;
    case BackEndKind::kKeeper:
      return v1::BACK_END_KIND_RECORD_KEEPER;
    case BackEndKind::kProfiled:
      return v1::BACK_END_KIND_RECORD_PROFILED;
  }
  return std::nullopt;
}

inline std::optional<int> NumberOf(KeeperFacts::Phase phase) {
  switch (phase) {
    case KeeperFacts::Phase::kUnknown:
      return v1::KEEPER_PHASE_RECORD_UNSPECIFIED;
    case KeeperFacts::Phase::kNone:
      return v1::KEEPER_PHASE_RECORD_NONE;
    case KeeperFacts::Phase::kArmed:
      return v1::KEEPER_PHASE_RECORD_ARMED;
    case KeeperFacts::Phase::kSaved:
      return v1::KEEPER_PHASE_RECORD_SAVED;
    case KeeperFacts::Phase::kLoaded:
      return v1::KEEPER_PHASE_RECORD_LOADED;
  }
  return std::nullopt;
}

inline std::optional<int> NumberOf(KeeperFacts::Role role) {
  switch (role) {
    case KeeperFacts::Role::kUnknown:
      return v1::KEEPER_ROLE_RECORD_UNSPECIFIED;
    case KeeperFacts::Role::kIdle:
      return v1::KEEPER_ROLE_RECORD_IDLE;
    case KeeperFacts::Role::kDriver:
      return v1::KEEPER_ROLE_RECORD_DRIVER;
    case KeeperFacts::Role::kNominee:
      return v1::KEEPER_ROLE_RECORD_NOMINEE;
    case KeeperFacts::Role::kFenced:
      return v1::KEEPER_ROLE_RECORD_FENCED;
  }
  return std::nullopt;
}

// Absent: no enumerator has this number.
template <typename Enum>
std::optional<Enum> EnumeratorOf(int number) {
  for (int i = 0;; ++i) {
    const auto enumerator = static_cast<Enum>(i);
    const std::optional<int> candidate = NumberOf(enumerator);
    if (!candidate || *candidate == number) {
      return candidate ? std::optional(enumerator) : std::nullopt;
    }
  }
}

}  // namespace vuf::record

#endif  // VUFD_SERVER_CONVERT_RECORD_ENUMS_H_
