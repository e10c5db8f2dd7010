#include "server/keeper/keeper_messages.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

constexpr absl::Duration kMaxTtl = absl::Hours(24);
// What is quoted of a keeper's message.
constexpr size_t kMaxMessage = 1000;

KeeperFacts::Phase PhaseOf(v1::KeeperSession::Phase phase) {
  switch (phase) {
    case v1::KeeperSession::PHASE_NONE:
      return KeeperFacts::Phase::kNone;
    case v1::KeeperSession::PHASE_ARMED:
      return KeeperFacts::Phase::kArmed;
    case v1::KeeperSession::PHASE_SAVED:
      return KeeperFacts::Phase::kSaved;
    case v1::KeeperSession::PHASE_LOADED:
      return KeeperFacts::Phase::kLoaded;
    default:
      return KeeperFacts::Phase::kUnknown;
  }
}

KeeperFacts::Role RoleOf(v1::KeeperFrontEnd::Role role) {
  switch (role) {
    case v1::KeeperFrontEnd::ROLE_IDLE:
      return KeeperFacts::Role::kIdle;
    case v1::KeeperFrontEnd::ROLE_DRIVER:
      return KeeperFacts::Role::kDriver;
    case v1::KeeperFrontEnd::ROLE_NOMINEE:
      return KeeperFacts::Role::kNominee;
    case v1::KeeperFrontEnd::ROLE_FENCED:
      return KeeperFacts::Role::kFenced;
    default:
      return KeeperFacts::Role::kUnknown;
  }
}

bool IsId(const std::string& text) {
  if (text.size() != 32) return false;
  for (const char c : text) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

KeeperFacts ToFacts(const v1::KeeperSession& session) {
  KeeperFacts facts;
  facts.instance = session.instance();
  facts.session = session.session();
  facts.version = session.version();
  for (const v1::KeeperFrontEnd& front_end : session.front_ends()) {
    facts.front_ends.push_back(
        {front_end.socket_inode(), RoleOf(front_end.role()), front_end.undrained()});
  }
  facts.phase = PhaseOf(session.phase());
  facts.permit = session.permit();
  facts.handed_over_permit = session.handed_over_permit();
  facts.fenced = session.fenced();
  facts.back_end_features = session.back_end().features();
  facts.back_end_protocol_features = session.back_end().protocol_features();
  facts.back_end_socket_inode = session.back_end().socket_inode();
  facts.unanswered = session.back_end().unanswered();
  facts.last_refusal = session.last_refusal();
  facts.last_drain_us = session.last_drain_us();
  facts.last_replace_us = session.last_replace_us();
  return facts;
}

absl::StatusCode CodeOf(v1::KeeperResponse::Code code) {
  switch (code) {
    case v1::KeeperResponse::CODE_OK:
      return absl::StatusCode::kOk;
    case v1::KeeperResponse::CODE_INVALID_ARGUMENT:
      return absl::StatusCode::kInvalidArgument;
    case v1::KeeperResponse::CODE_FAILED_PRECONDITION:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::StatusOr<v1::KeeperRequest> ArmRequest(const KeeperPermit& permit) {
  if (permit.ttl < absl::Milliseconds(1) || permit.ttl > kMaxTtl) {
    return absl::InvalidArgumentError(
        absl::StrCat("a permit lasts 1 ms to 24 h, not ", absl::FormatDuration(permit.ttl)));
  }
  v1::KeeperRequest request;
  v1::KeeperArm* const arm = request.mutable_arm();
  switch (permit.mode) {
    case Mode::kNone:
      return absl::InvalidArgumentError("a permit is for a mode, and none is given");
    case Mode::kStateless:
      arm->set_mode(v1::KEEPER_MODE_STATELESS);
      break;
    case Mode::kStateful:
      arm->set_mode(v1::KEEPER_MODE_STATEFUL);
      break;
  }
  arm->set_permit(permit.permit);
  arm->set_direction(permit.direction == KeeperPermit::Direction::kIncoming
                         ? v1::KeeperArm::DIRECTION_INCOMING
                         : v1::KeeperArm::DIRECTION_OUTGOING);
  arm->set_ttl_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(permit.ttl)));
  arm->set_source_inode(permit.source_inode);
  arm->set_destination_inode(permit.destination_inode);
  return request;
}

absl::StatusOr<KeeperFacts> ParseKeeperResponse(absl::string_view packet) {
  v1::KeeperResponse response;
  if (!response.ParseFromArray(packet.data(), static_cast<int>(packet.size()))) {
    return absl::InternalError(
        absl::StrCat("its answer of ", packet.size(), " bytes is no KeeperResponse"));
  }
  if (response.code() == v1::KeeperResponse::CODE_UNSPECIFIED) {
    return absl::InternalError("its answer does not say what became of the request");
  }
  if (response.code() != v1::KeeperResponse::CODE_OK) {
    return absl::Status(
        CodeOf(response.code()),
        absl::StrCat("the keeper says: \"", response.message().substr(0, kMaxMessage), "\""));
  }
  if (!IsId(response.session().instance()) || !IsId(response.session().session())) {
    return absl::InternalError("its answer does not name its instance and session");
  }
  return ToFacts(response.session());
}

}  // namespace vuf
