// Between the port's words and those of proto/vuf/v1/keeper.proto.
#ifndef VUFD_SERVER_KEEPER_KEEPER_MESSAGES_H_
#define VUFD_SERVER_KEEPER_KEEPER_MESSAGES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/keeper/keeper.h"
#include "server/model/back_end.h"
#include "vuf/v1/keeper.pb.h"

namespace vuf {

// INVALID_ARGUMENT for a permit that no keeper would take.
absl::StatusOr<v1::KeeperRequest> ArmRequest(const KeeperPermit& permit);

// The session in a keeper's answer, or its refusal, quoted. `control_socket` stays empty. INTERNAL
// for what is no answer of a keeper.
absl::StatusOr<KeeperFacts> ParseKeeperResponse(absl::string_view packet);

}  // namespace vuf

#endif  // VUFD_SERVER_KEEPER_KEEPER_MESSAGES_H_
