#include "server/convert/facts_record.h"

#include "absl/status/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "server/convert/record_archive.h"
#include "server/convert/record_fields.h"

namespace vuf {
namespace {

template <typename Record, typename Struct>
Record Written(const Struct& facts) {
  Record out;
  record::Writer writer(out);
  Visit(writer, facts);
  return out;
}

template <typename Struct, typename Record>
absl::StatusOr<Struct> Read(const Record& record) {
  Struct out;
  absl::Status status;
  record::Reader reader(record, record.GetDescriptor()->name(), status);
  Visit(reader, out);
  if (!status.ok()) return status;
  return out;
}

}  // namespace

record::v1::VmFactsRecord ToRecord(const VmFacts& facts) {
  return Written<record::v1::VmFactsRecord>(facts);
}

absl::StatusOr<VmFacts> FromRecord(const record::v1::VmFactsRecord& record) {
  return Read<VmFacts>(record);
}

record::v1::FactsRecord ToRecord(const Facts& facts) {
  return Written<record::v1::FactsRecord>(facts);
}

absl::StatusOr<Facts> FromRecord(const record::v1::FactsRecord& record) {
  return Read<Facts>(record);
}

std::string SerializeFacts(const Facts& facts) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  ToRecord(facts).SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

absl::StatusOr<Facts> ParseFacts(const std::string& bytes) {
  record::v1::FactsRecord record;
  if (!record.ParseFromString(bytes)) return absl::DataLossError("the facts cannot be read");
  record::v1::FactsRecord known = record;
  known.DiscardUnknownFields();
  if (known.ByteSizeLong() != record.ByteSizeLong()) {
    return absl::FailedPreconditionError(
        "the facts are of a newer vufd: some of them are not known to this program");
  }
  return FromRecord(record);
}

}  // namespace vuf
