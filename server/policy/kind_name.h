// What kinds of back-ends are called in policies and profiles.
#ifndef VUFD_SERVER_POLICY_KIND_NAME_H_
#define VUFD_SERVER_POLICY_KIND_NAME_H_

#include "server/model/back_end.h"

namespace vuf {

inline constexpr const char* kKindNames[] = {"virtiofsd", "virtiofsd-c", "filestore-vhost",
                                             "keeper", "profiled"};

// Empty for an unknown kind.
inline const char* KindName(BackEndKind kind) {
  return kind == BackEndKind::kUnknown ? "" : kKindNames[static_cast<int>(kind) - 1];
}

}  // namespace vuf

#endif  // VUFD_SERVER_POLICY_KIND_NAME_H_
