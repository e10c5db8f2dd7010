#include "server/convert/facts_record.h"

#include "absl/status/status.h"
#include "server/convert/record_archive.h"
#include "server/convert/record_fields.h"

namespace vuf {

record::v1::VmFactsRecord ToRecord(const VmFacts& facts) {
  record::v1::VmFactsRecord out;
  record::Writer writer(out);
  Visit(writer, facts);
  return out;
}

absl::StatusOr<VmFacts> FromRecord(const record::v1::VmFactsRecord& record) {
  VmFacts out;
  absl::Status status;
  record::Reader reader(record, record.GetDescriptor()->name(), status);
  Visit(reader, out);
  if (!status.ok()) return status;
  return out;
}

}  // namespace vuf
