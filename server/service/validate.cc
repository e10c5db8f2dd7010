#include "server/service/validate.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/unknown_field_set.h"
#include "server/convert/convert.h"

namespace vuf {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

constexpr size_t kMaxQuoted = 80;
constexpr size_t kMaxIdBytes = 63;
constexpr size_t kMaxLabelBytes = 63;
constexpr int kMaxLabels = 32;
// sockaddr_un holds 108 bytes, one of them the final NUL.
constexpr size_t kMaxSocketPath = 107;
// Deeper than any message of the API.
constexpr int kMaxDepth = 16;

bool LowerOrDigit(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }

bool IsId(absl::string_view id) {
  if (id.empty() || id.size() > kMaxIdBytes || !absl::ascii_islower(id.front()) ||
      !LowerOrDigit(id.back())) {
    return false;
  }
  for (const char c : id) {
    if (!LowerOrDigit(c) && c != '-') return false;
  }
  return true;
}

bool IsLabelKey(absl::string_view key) {
  if (key.empty() || key.size() > kMaxLabelBytes || !LowerOrDigit(key.front()) ||
      !LowerOrDigit(key.back())) {
    return false;
  }
  for (const char c : key) {
    if (!LowerOrDigit(c) && absl::string_view("-_./").find(c) == absl::string_view::npos) {
      return false;
    }
  }
  return true;
}

// Path of the first string field in `fields` that is not UTF-8; "" when there is none.
std::string FindBadUtf8(const UnknownFieldSet& fields, const Descriptor& message, int depth) {
  if (depth > kMaxDepth) return "";
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    const FieldDescriptor* const known = message.FindFieldByNumber(field.number());
    if (known == nullptr || field.type() != UnknownField::TYPE_LENGTH_DELIMITED) continue;
    const std::string& value = field.length_delimited();
    if (known->type() == FieldDescriptor::TYPE_STRING && ValidUtf8(value) != value) {
      return absl::StrCat(known->name(), ": ", Quoted(value));
    }
    UnknownFieldSet inner;
    if (known->type() != FieldDescriptor::TYPE_MESSAGE || !inner.ParseFromString(value)) continue;
    const std::string found = FindBadUtf8(inner, *known->message_type(), depth + 1);
    if (!found.empty()) return absl::StrCat(known->name(), ".", found);
  }
  return "";
}

}  // namespace

std::string Quoted(absl::string_view value) {
  const bool cut = value.size() > kMaxQuoted;
  return absl::StrCat("\"", absl::CHexEscape(value.substr(0, kMaxQuoted)), cut ? "\"..." : "\"",
                      cut ? absl::StrCat(" (", value.size(), " bytes)") : "");
}

absl::Status InvalidField(absl::string_view field, absl::string_view value,
                          absl::string_view allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": ", Quoted(value), " is not allowed; expected ", allowed));
}

absl::Status CheckName(absl::string_view field, absl::string_view collection,
                       absl::string_view value) {
  absl::string_view id = value;
  if (absl::ConsumePrefix(&id, collection) && absl::ConsumePrefix(&id, "/") && IsId(id)) {
    return absl::OkStatus();
  }
  return InvalidField(field, value,
                      absl::StrCat("\"", collection,
                                   "/ID\" where ID is [a-z]([-a-z0-9]*[a-z0-9])? of at most 63 "
                                   "bytes"));
}

absl::Status CheckId(absl::string_view field, absl::string_view value) {
  if (IsId(value)) return absl::OkStatus();
  return InvalidField(field, value, "[a-z]([-a-z0-9]*[a-z0-9])?, at most 63 bytes");
}

std::string IdFrom(absl::string_view text) {
  std::string id;
  for (const char c : text) {
    const char lower = absl::ascii_tolower(c);
    if (LowerOrDigit(lower)) {
      id += lower;
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
  }
  if (!id.empty() && !absl::ascii_islower(id.front())) id.insert(0, "vm-");
  id.resize(std::min(id.size(), kMaxIdBytes));
  while (!id.empty() && id.back() == '-') id.pop_back();
  return id;
}

absl::Status CheckLabels(absl::string_view field,
                         const google::protobuf::Map<std::string, std::string>& labels) {
  if (labels.size() > kMaxLabels) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": ", labels.size(), " labels; at most ", kMaxLabels, " are allowed"));
  }
  for (const auto& [key, value] : labels) {
    if (!IsLabelKey(key)) {
      return InvalidField(absl::StrCat(field, " key"), key,
                          "[a-z0-9]([-a-z0-9_./]*[a-z0-9])?, at most 63 bytes");
    }
    const absl::Status status =
        CheckText(absl::StrCat(field, "[\"", key, "\"]"), value, kMaxLabelBytes);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckSocketPath(absl::string_view field, absl::string_view value) {
  if (!value.empty() && value.front() == '/' && value.size() <= kMaxSocketPath &&
      value.find('\0') == absl::string_view::npos) {
    return absl::OkStatus();
  }
  return InvalidField(field, value, "an absolute path of at most 107 bytes without NUL");
}

absl::Status CheckRequestId(absl::string_view value, bool required) {
  bool good = value.size() <= 64 && !(required && value.empty());
  for (const char c : value) good = good && absl::ascii_isprint(c);
  if (good) return absl::OkStatus();
  return InvalidField("request_id", value,
                      required ? "1 to 64 printable ASCII characters (it is required)"
                               : "at most 64 printable ASCII characters");
}

absl::Status CheckDuration(absl::string_view field, const google::protobuf::Duration& value,
                           absl::Duration min, absl::Duration max) {
  const bool well_formed = value.nanos() > -1000000000 && value.nanos() < 1000000000 &&
                           !(value.seconds() > 0 && value.nanos() < 0) &&
                           !(value.seconds() < 0 && value.nanos() > 0);
  const absl::Duration duration = FromProto(value);
  if (well_formed && duration >= min && duration <= max) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(value.seconds(), "s ", value.nanos(), "ns"),
                      absl::StrCat(absl::FormatDuration(min), " to ", absl::FormatDuration(max)));
}

absl::Status CheckText(absl::string_view field, absl::string_view value, size_t max_bytes,
                       bool required) {
  bool good = value.size() <= max_bytes && !(required && value.empty());
  for (const char c : value) good = good && !absl::ascii_iscntrl(c);
  if (good) return absl::OkStatus();
  return InvalidField(field, value,
                      absl::StrCat(required ? "1 to " : "at most ", max_bytes,
                                   " bytes without control characters"));
}

absl::Status CheckOnlyFields(absl::string_view field, const google::protobuf::Message& message,
                             const std::set<std::string>& allowed) {
  std::vector<const FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  for (const FieldDescriptor* const one : set) {
    if (allowed.count(one->name()) != 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".", one->name(),
                     ": must be unset; the caller may set: ", absl::StrJoin(allowed, ", ")));
  }
  return absl::OkStatus();
}

absl::Status ExplainParseFailure(const std::string& wire, const Descriptor& message) {
  UnknownFieldSet fields;
  const std::string bad =
      fields.ParseFromString(wire) ? FindBadUtf8(fields, message, 0) : std::string();
  if (!bad.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(bad, " is not valid UTF-8"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the request is not a well-formed ", message.full_name()));
}

}  // namespace vuf
