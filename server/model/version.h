// Dotted versions of QEMU and of back-ends.
#ifndef VUFD_SERVER_MODEL_VERSION_H_
#define VUFD_SERVER_MODEL_VERSION_H_

#include <compare>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace vuf {

struct Version {
  int major = 0;
  int minor = 0;
  int micro = 0;

  auto operator<=>(const Version&) const = default;
  // "10.0.13".
  std::string ToString() const;
  // Accepts "1", "1.13" and "1.13.2", anything after a '-', '+', '~' or space is ignored.
  static std::optional<Version> Parse(absl::string_view text);
};

}  // namespace vuf

#endif  // VUFD_SERVER_MODEL_VERSION_H_
