// Facts of a VM that outlive vufd: the second decision on a sequential migration rests on what was
// known of the source before it quit.
#ifndef VUFD_SERVER_CONVERT_FACTS_RECORD_H_
#define VUFD_SERVER_CONVERT_FACTS_RECORD_H_

#include "absl/status/statusor.h"
#include "server/model/vm.h"
#include "vuf/record/v1/facts.pb.h"

namespace vuf {

record::v1::VmFactsRecord ToRecord(const VmFacts& facts);

// Equal to what was recorded, but for times: whole nanoseconds, and absl::InfiniteFuture() comes
// back as the end of the year 9999. DATA_LOSS names the field that is missing or has a value this
// vufd does not know; a fact that the record does not have is unknown instead.
absl::StatusOr<VmFacts> FromRecord(const record::v1::VmFactsRecord& record);

}  // namespace vuf

#endif  // VUFD_SERVER_CONVERT_FACTS_RECORD_H_
