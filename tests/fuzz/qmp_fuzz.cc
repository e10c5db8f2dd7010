// Whatever a monitor sends: framing, JSON, and every parser of answers. Run it for a while with
//   bazel build --config=fuzz //tests/fuzz:qmp_fuzz && bazel-bin/tests/fuzz/qmp_fuzz CORPUS_DIR
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "server/qmp/json_lines.h"
#include "server/qmp/parse.h"

namespace vuf {
namespace {

constexpr size_t kMaxLine = 4096;

void ParseEverything(const nlohmann::json& value) {
  (void)ParseVersion(value);
  (void)ParseString(value);
  (void)ParseMember(value, "status", true);
  (void)ParseUint32(value);
  (void)ParsePciAddress(value);
  (void)ParseChardevs(value);
  (void)ParseMemdevs(value);
  (void)ParseMigration(value);
  (void)ParseBlockedReasons(value);
  (void)ParseCapabilities(value);
  (void)ParseParameters(value);
  (void)ParseHasProperty(value, "migration");
  (void)ParseFsDevices(value, "/machine/peripheral", false);
}

// The same bytes must give the same lines in one piece and in pieces of `step` bytes.
std::string Lines(absl::string_view bytes, size_t step) {
  LineSplitter splitter(kMaxLine);
  std::string out;
  while (!bytes.empty()) {
    const absl::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    if (!splitter.Append(piece).ok()) return "too long";
    while (std::optional<std::string> line = splitter.Next()) out += *line + "\n";
  }
  return out;
}

void Run(absl::string_view bytes) {
  // The first byte chooses the pieces.
  const size_t step = bytes.empty() ? 1 : 1 + static_cast<unsigned char>(bytes[0]);
  // A long line in the middle is only seen when it is not finished in one piece.
  if (bytes.size() <= kMaxLine && Lines(bytes, step) != Lines(bytes, bytes.size())) std::abort();
  LineSplitter splitter(kMaxLine);
  if (!splitter.Append(bytes).ok()) return;
  while (std::optional<std::string> line = splitter.Next()) {
    const absl::StatusOr<nlohmann::json> message = ParseJsonObject(*line);
    if (!message.ok()) continue;
    ParseEverything(*message);
    for (const auto& [key, value] : message->items()) ParseEverything(value);
  }
}

}  // namespace
}  // namespace vuf

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vuf::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
