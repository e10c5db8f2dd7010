// Facts from the journal, from a decision record and from another host's agent: never a crash; what
// is read is written the same way again; and the verdict on whatever is read holds together.
#include <cstddef>
#include <cstdint>
#include <string>

#include "server/convert/facts_record.h"
#include "server/decision/evaluate.h"
#include "tests/fuzz/fuzz.h"
#include "tests/testing/safe_facts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const good = new std::string(vuf::SerializeFacts(vuf::SafeFacts()));
  for (const std::string& bytes :
       {std::string(reinterpret_cast<const char*>(data), size), vuf::Damaged(*good, data, size)}) {
    const absl::StatusOr<vuf::Facts> facts = vuf::ParseFacts(bytes);
    if (!facts.ok()) {
      vuf::Require(!facts.status().message().empty());
      continue;
    }
    const std::string written = vuf::SerializeFacts(*facts);
    const absl::StatusOr<vuf::Facts> again = vuf::ParseFacts(written);
    vuf::Require(again.ok() && vuf::SerializeFacts(*again) == written);
    const vuf::Verdict verdict = vuf::Evaluate(*facts);
    vuf::Require(verdict.allow == verdict.blockers.empty());
    for (const vuf::DeviceVerdict& device : verdict.devices) {
      vuf::Require(!verdict.allow || device.mode != vuf::Mode::kNone);
    }
  }
  return 0;
}
