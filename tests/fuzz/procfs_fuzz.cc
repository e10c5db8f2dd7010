// Whatever /proc may say: every parser of it, and QEMU's command line.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/discovery/procfs.h"
#include "server/discovery/qemu_command_line.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  (void)vuf::ParseStat(text);
  (void)vuf::ParseStatus(text);
  (void)vuf::ParseMountInfo(text);
  (void)vuf::ParseCgroups(text);
  (void)vuf::ParseOpenFilesLimit(text);
  (void)vuf::ParseIdMap(text);
  (void)vuf::ParseExeLink(text);
  (void)vuf::ParseSocketLink(text);
  (void)vuf::ParseBootId(text);
  const std::vector<std::string> arguments = vuf::ParseCmdline(text);
  (void)vuf::StartedPaused(arguments);
  (void)vuf::ChardevSocketPath(arguments, "c");
  return 0;
}
