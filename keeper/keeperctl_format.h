// A keeper's session as text and as JSON (the lite runtime of protobuf has none).
#ifndef VUFD_KEEPER_KEEPERCTL_FORMAT_H_
#define VUFD_KEEPER_KEEPERCTL_FORMAT_H_

#include <string>

#include "vuf/v1/keeper.pb.h"

namespace vuf::keeper {

// One line; names and enum values as in proto/vuf/v1/keeper.proto.
std::string ToJson(const v1::KeeperSession& session);
std::string ToText(const v1::KeeperSession& session);

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_KEEPERCTL_FORMAT_H_
