// Facts from the journal, from a decision record and from another host's agent: never a crash; what
// is read is written the same way again; and the verdict on whatever is read holds together.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/convert/facts_record.h"
#include "server/decision/evaluate.h"
#include "tests/testing/safe_facts.h"

namespace {

void Require(bool condition) {
  if (!condition) abort();
}

// The input is what to change in a record that is good, three bytes each: where, and what. From
// nothing a fuzzer would not find its way to a record.
std::string Damaged(std::string record, const uint8_t* data, size_t size) {
  for (; size >= 3; data += 3, size -= 3) {
    const size_t at = (size_t{data[0]} << 8 | data[1]) % record.size();
    record[at] = static_cast<char>(data[2]);
  }
  return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const good = new std::string(vuf::SerializeFacts(vuf::SafeFacts()));
  for (const std::string& bytes :
       {std::string(reinterpret_cast<const char*>(data), size), Damaged(*good, data, size)}) {
    const absl::StatusOr<vuf::Facts> facts = vuf::ParseFacts(bytes);
    if (!facts.ok()) {
      Require(!facts.status().message().empty());
      continue;
    }
    const std::string written = vuf::SerializeFacts(*facts);
    const absl::StatusOr<vuf::Facts> again = vuf::ParseFacts(written);
    Require(again.ok() && vuf::SerializeFacts(*again) == written);
    const vuf::Verdict verdict = vuf::Evaluate(*facts);
    Require(verdict.allow == verdict.blockers.empty());
    for (const vuf::DeviceVerdict& device : verdict.devices) {
      Require(!verdict.allow || device.mode != vuf::Mode::kNone);
    }
  }
  return 0;
}
