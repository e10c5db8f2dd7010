// The version of vufd.
#ifndef VUFD_SERVER_VERSION_H_
#define VUFD_SERVER_VERSION_H_

namespace vuf {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace vuf

#endif  // VUFD_SERVER_VERSION_H_
