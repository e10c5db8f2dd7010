#include "server/registry/request_key.h"

#include <memory>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace vuf {
namespace {

// 128-bit FNV-1a. It only has to tell a caller's retry from the same caller's other request, so
// accidents matter and attackers do not; a fixed size bounds what is remembered per request.
std::string Digest(const std::string& bytes) {
  absl::uint128 hash = absl::MakeUint128(0x6c62272e07bb0142, 0x62b821756295c58d);
  const absl::uint128 prime = absl::MakeUint128(0x0000000001000000, 0x000000000000013b);
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * prime;
  return absl::StrCat(absl::Hex(absl::Uint128High64(hash), absl::kZeroPad16),
                      absl::Hex(absl::Uint128Low64(hash), absl::kZeroPad16));
}

// Fields in order of their numbers, map entries in order of their keys. Should another protobuf
// version serialize differently, a retry across that upgrade is refused, not done twice.
std::string Serialize(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

}  // namespace

RequestKey MakeRequestKey(const std::string& method, const google::protobuf::Message& request) {
  RequestKey key;
  key.method = method;
  const std::unique_ptr<google::protobuf::Message> arguments(request.New());
  arguments->CopyFrom(request);
  const google::protobuf::Reflection* const reflection = arguments->GetReflection();
  if (const auto* const field = arguments->GetDescriptor()->FindFieldByName("request_id");
      field != nullptr && !field->is_repeated() &&
      field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING) {
    key.request_id = reflection->GetString(*arguments, field);
    reflection->ClearField(arguments.get(), field);
  }
  key.arguments_digest = Digest(Serialize(*arguments));
  return key;
}

}  // namespace vuf
