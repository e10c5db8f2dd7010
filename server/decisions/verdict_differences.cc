#include "server/decisions/verdict_differences.h"

#include <map>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"

namespace vuf {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string Text(const Message& message, const FieldDescriptor* field, int index) {
  std::string text;
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.PrintFieldValueToString(message, field, index, &text);
  return text;
}

// "" for a field that has no presence and its zero value, as for one that is not set.
std::string Text(const Message& message, const FieldDescriptor* field) {
  if (!field->is_repeated()) {
    return message.GetReflection()->HasField(message, field) ? Text(message, field, -1) : "";
  }
  std::string text;
  const int size = message.GetReflection()->FieldSize(message, field);
  for (int i = 0; i < size; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", Text(message, field, i));
  }
  return text;
}

// What the fields of a difference have in common.
struct Place {
  std::string code;
  std::string subject;
  std::string path;
};

void Add(const Place& place, const std::string& field, const std::string& recorded,
         const std::string& replayed, v1::DecisionReplay& out) {
  if (recorded == replayed) return;
  v1::DecisionDifference& difference = *out.add_differences();
  difference.set_code(place.code);
  difference.set_subject(place.subject);
  difference.set_field(absl::StrCat(place.path, field));
  difference.set_recorded(recorded);
  difference.set_replayed(replayed);
}

bool HasUnknownFields(const Message& message) {
  return !message.GetReflection()->GetUnknownFields(message).empty();
}

void CompareFields(const Place& place, const Message& recorded, const Message& replayed,
                   v1::DecisionReplay& out) {
  const auto* const descriptor = recorded.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* const field = descriptor->field(i);
    Add(place, field->name(), Text(recorded, field), Text(replayed, field), out);
  }
  if (HasUnknownFields(recorded)) {
    Add(place, "(a field that this program does not know)", "set", "", out);
  }
}

std::string SubjectOf(const v1::Finding& finding) {
  const std::string side =
      absl::AsciiStrToLower(absl::StripPrefix(v1::Side_Name(finding.side()), "SIDE_"));
  return finding.side() == v1::SIDE_UNSPECIFIED ? finding.subject()
                                                : absl::StrCat(finding.subject(), ", ", side);
}

using Findings = google::protobuf::RepeatedPtrField<v1::Finding>;

// By code and subject; a finding that is there twice is told apart by its place among them.
std::map<std::string, const v1::Finding*> Keyed(const Findings& findings) {
  std::map<std::string, const v1::Finding*> keyed;
  for (const v1::Finding& finding : findings) {
    std::string key = absl::StrCat(finding.code(), " ", SubjectOf(finding));
    while (keyed.count(key) > 0) key += '+';
    keyed[key] = &finding;
  }
  return keyed;
}

void CompareFindings(const std::string& field, const Findings& recorded, const Findings& replayed,
                     v1::DecisionReplay& out) {
  const std::map<std::string, const v1::Finding*> before = Keyed(recorded);
  const std::map<std::string, const v1::Finding*> after = Keyed(replayed);
  for (const auto& [key, finding] : before) {
    const Place place{finding->code(), SubjectOf(*finding), ""};
    const auto found = after.find(key);
    if (found == after.end()) {
      Add(place, field, finding->message(), "", out);
    } else {
      CompareFields({place.code, place.subject, field + "."}, *finding, *found->second, out);
    }
  }
  for (const auto& [key, finding] : after) {
    if (before.count(key) > 0) continue;
    Add({finding->code(), SubjectOf(*finding), ""}, field, "", finding->message(), out);
  }
}

}  // namespace

void AddDifferences(const v1::Verdict& recorded, const v1::Verdict& replayed,
                    v1::DecisionReplay& out) {
  CompareFindings("blockers", recorded.blockers(), replayed.blockers(), out);
  CompareFindings("warnings", recorded.warnings(), replayed.warnings(), out);
  v1::Verdict before = recorded;
  v1::Verdict after = replayed;
  for (v1::Verdict* verdict : {&before, &after}) {
    verdict->clear_blockers();
    verdict->clear_warnings();
  }
  CompareFields({}, before, after, out);
  // The order, and what the comparison by key cannot see.
  if (!out.differences().empty()) return;
  const std::string bytes = recorded.SerializeAsString();
  if (bytes == replayed.SerializeAsString()) return;
  Add({}, "verdict", "as recorded", "differs in order or in a field that is not known", out);
}

}  // namespace vuf
