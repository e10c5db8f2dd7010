// Text for people: tables, wrapped paragraphs, sizes, durations, colour.
#ifndef VUFD_CLIENT_TEXT_H_
#define VUFD_CLIENT_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace vuf::cli {

// The text with control characters spelled "\xNN": names come from guests, and a terminal obeys
// what it is sent.
std::string Printable(absl::string_view text);

// Printable(text), or "-" when it is empty.
std::string OrDash(absl::string_view text);

// The text broken at spaces so that no line is wider than `columns`, each indented by `indent`
// spaces, the first one beginning with `lead` instead. A word that does not fit stays whole.
std::string Wrap(absl::string_view text, int columns, int indent, absl::string_view lead = "");

// Rows under a heading, columns aligned and two spaces apart.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }
  void AddRow(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "name:   value" lines with the values aligned. Empty values are left out.
class FieldList {
 public:
  void Add(absl::string_view name, absl::string_view value);
  std::string ToString() const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

enum class Colour { kNone, kRed, kGreen, kYellow, kBold };
// The text in a colour when `enabled`, unchanged otherwise.
std::string Paint(absl::string_view text, Colour colour, bool enabled);

// "512 B", "1.5 MiB".
std::string SizeText(uint64_t bytes);
// "35 ms", "2.1 s", "3 min 5 s".
std::string DurationText(const google::protobuf::Duration& duration);
// "2026-05-04 03:02:01 UTC"; empty when unset.
std::string TimeText(const google::protobuf::Timestamp& time);
// "STATE_IN_USE" without the prefix "STATE_" as "in-use".
std::string EnumText(absl::string_view name, absl::string_view prefix);

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_TEXT_H_
