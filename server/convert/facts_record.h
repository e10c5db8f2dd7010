// Facts that outlive vufd: the second decision on a sequential migration rests on what was known of
// the source before it quit, and every decision can be computed again from its record.
#ifndef VUFD_SERVER_CONVERT_FACTS_RECORD_H_
#define VUFD_SERVER_CONVERT_FACTS_RECORD_H_

#include <string>

#include "absl/status/statusor.h"
#include "server/model/facts.h"
#include "server/model/vm.h"
#include "vuf/record/v1/facts.pb.h"

namespace vuf {

record::v1::VmFactsRecord ToRecord(const VmFacts& facts);

// Equal to what was recorded, but for times: whole nanoseconds, and absl::InfiniteFuture() comes
// back as the end of the year 9999. DATA_LOSS names the field that is missing or has a value this
// vufd does not know; a fact that the record does not have is unknown instead.
absl::StatusOr<VmFacts> FromRecord(const record::v1::VmFactsRecord& record);

// The same for everything that a decision rests on.
record::v1::FactsRecord ToRecord(const Facts& facts);
absl::StatusOr<Facts> FromRecord(const record::v1::FactsRecord& record);

// As bytes, the same for the same facts. Only bytes with nothing in them that this program does not
// know are read: it could come to another decision without it.
std::string SerializeFacts(const Facts& facts);
absl::StatusOr<Facts> ParseFacts(const std::string& bytes);

}  // namespace vuf

#endif  // VUFD_SERVER_CONVERT_FACTS_RECORD_H_
