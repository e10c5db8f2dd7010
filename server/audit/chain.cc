#include "server/audit/chain.h"

#include <openssl/sha.h>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"

namespace vuf {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kHashLength = size_t{2} * SHA256_DIGEST_LENGTH;
constexpr const char* kKinds[] = {"begin", "call", "next"};

std::string Cut(const std::string& text) { return text.substr(0, kMaxAuditText); }

Json ToJson(const AuditLine& line) {
  Json json;
  json["sequence"] = line.sequence;
  json["time"] = absl::FormatTime(absl::RFC3339_full, line.record.time, absl::UTCTimeZone());
  json["kind"] = kKinds[static_cast<int>(line.kind)];
  if (line.kind == AuditLine::Kind::kBegin) {
    json["file"] = line.file;
    json["oldest"] = line.oldest;
    json["previous"] = line.previous;
  }
  if (line.kind == AuditLine::Kind::kCall) {
    const AuditRecord& record = line.record;
    json["actor"] = Cut(record.actor);
    json["method"] = Cut(record.method);
    json["resource"] = Cut(record.resource);
    json["request_id"] = Cut(record.request_id);
    json["outcome"] = Cut(record.outcome);
    json["message"] = Cut(record.message);
  }
  return json;
}

std::string Text(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

uint64_t Number(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

std::optional<AuditLine> FromJson(const Json& json) {
  AuditLine line;
  const std::string kind = Text(json, "kind");
  if (kind == "begin") {
    line.kind = AuditLine::Kind::kBegin;
  } else if (kind == "next") {
    line.kind = AuditLine::Kind::kNext;
  } else if (kind != "call") {
    return std::nullopt;
  }
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, Text(json, "time"), &line.record.time, &error)) {
    return std::nullopt;
  }
  line.sequence = Number(json, "sequence");
  line.file = Number(json, "file");
  line.oldest = Number(json, "oldest");
  line.previous = Text(json, "previous");
  line.record.actor = Text(json, "actor");
  line.record.method = Text(json, "method");
  line.record.resource = Text(json, "resource");
  line.record.request_id = Text(json, "request_id");
  line.record.outcome = Text(json, "outcome");
  line.record.message = Text(json, "message");
  return line;
}

}  // namespace

std::string FirstAuditHash() { return std::string(kHashLength, '0'); }

std::string AuditHash(absl::string_view previous, absl::string_view json) {
  const std::string all = absl::StrCat(previous, " ", json);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

std::string WriteAuditLine(const AuditLine& line, std::string* hash) {
  // What is not UTF-8 becomes U+FFFD.
  const std::string json = ToJson(line).dump(-1, ' ', false, Json::error_handler_t::replace);
  *hash = AuditHash(*hash, json);
  return absl::StrCat(*hash, " ", json, "\n");
}

std::optional<AuditLine> ReadAuditLine(absl::string_view text, std::string* hash,
                                       std::string* json) {
  if (text.size() < kHashLength + 2 || text[kHashLength] != ' ') return std::nullopt;
  *hash = std::string(text.substr(0, kHashLength));
  *json = std::string(text.substr(kHashLength + 1));
  const Json parsed = Json::parse(*json, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  return FromJson(parsed);
}

std::string AuditFileName(uint64_t number) { return absl::StrFormat("audit-%08d.log", number); }

uint64_t AuditFileNumber(absl::string_view name) {
  const std::string whole(name);
  uint64_t number = 0;
  if (!absl::ConsumePrefix(&name, "audit-") || !absl::ConsumeSuffix(&name, ".log") ||
      !absl::SimpleAtoi(name, &number) || AuditFileName(number) != whole) {
    return 0;
  }
  return number;
}

}  // namespace vuf
