// Whatever a back-end may have been started with, or print about itself.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "server/discovery/back_end_options.h"
#include "server/discovery/executable.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using vuf::BackEndKind;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> words = absl::StrSplit(text, '\0');
  for (const BackEndKind kind :
       {BackEndKind::kUnknown, BackEndKind::kVirtiofsd, BackEndKind::kVirtiofsdC}) {
    const vuf::BackEndOptions options = vuf::NormalizeOptions(kind, {1, 14, 0}, words);
    // The decision looks these up and must find them.
    if (kind == BackEndKind::kUnknown) continue;
    if (options.count("sandbox") == 0 || options.count("thread-pool-size") == 0) std::abort();
    if (options.at("posix-acl") != "never" && options.at("xattr") != "true") std::abort();
  }
  vuf::ExecutableFacts facts;
  vuf::ParseVersionOutput(text, facts);
  (void)vuf::ParseCapabilities(text);
  return 0;
}
