#include "server/convert/peer_facts.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"
#include "server/convert/convert.h"
#include "server/convert/facts_record.h"

namespace vuf {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Every time of observation below `message`. As deep as the messages' types are.
void Shift(Message& message, absl::Duration by) {
  if (auto* evidence = dynamic_cast<record::v1::EvidenceRecord*>(&message)) {
    if (evidence->has_observed_at()) {
      *evidence->mutable_observed_at() = ToProto(FromProto(evidence->observed_at()) + by);
    }
  }
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      Shift(*reflection.MutableMessage(&message, field), by);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      Shift(*reflection.MutableRepeatedMessage(&message, field, i), by);
    }
  }
}

}  // namespace

absl::StatusOr<Facts> FactsFromPeer(const std::string& bytes, absl::Time as_of) {
  if (bytes.size() > kMaxPeerFactsBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("facts of ", bytes.size(), " bytes; at most ", kMaxPeerFactsBytes));
  }
  // Also that there is nothing in them that this program does not know.
  absl::StatusOr<Facts> facts = ParseFacts(bytes);
  if (!facts.ok()) return absl::InvalidArgumentError(facts.status().message());
  record::v1::FactsRecord record = ToRecord(*facts);
  Shift(record, as_of - facts->now);
  facts = FromRecord(record);
  if (!facts.ok()) return absl::InvalidArgumentError(facts.status().message());
  facts->now = as_of;
  return facts;
}

}  // namespace vuf
