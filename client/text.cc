#include "client/text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace vuf::cli {
namespace {

// Characters, not bytes: UTF-8 continuation bytes take no column.
int Width(absl::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void Pad(int width, std::string* out) { out->append(std::max(width, 0), ' '); }

}  // namespace

std::string Printable(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  // The C1 controls, of which U+009B starts an escape sequence, are C2 80 to C2 9F.
  for (size_t at = out.find('\xC2'); at != std::string::npos; at = out.find('\xC2', at + 1)) {
    const int next = at + 1 < out.size() ? static_cast<unsigned char>(out[at + 1]) : 0;
    if (next >= 0x80 && next <= 0x9F) out.replace(at, 2, absl::StrFormat("\\u%04x", next));
  }
  return out;
}

std::string OrDash(absl::string_view text) { return text.empty() ? "-" : Printable(text); }

std::string Wrap(absl::string_view text, int columns, int indent, absl::string_view lead) {
  std::string out(lead);
  Pad(indent - Width(lead), &out);
  int used = std::max(indent, Width(lead));
  bool line_start = true;
  for (const absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    const std::string shown = Printable(word);
    if (!line_start && used + 1 + Width(shown) > columns) {
      out.push_back('\n');
      Pad(indent, &out);
      used = indent;
      line_start = true;
    }
    if (!line_start) out.push_back(' ');
    absl::StrAppend(&out, shown);
    used += Width(shown) + (line_start ? 0 : 1);
    line_start = false;
  }
  return absl::StrCat(absl::StripTrailingAsciiWhitespace(out), "\n");
}

std::string TextTable::ToString() const {
  std::vector<int> widths;
  for (const std::vector<std::string>& row : rows_) {
    if (widths.size() < row.size()) widths.resize(row.size());
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string out;
  for (const std::vector<std::string>& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, row[i]);
      Pad(widths[i] - Width(row[i]) + 2, &line);
    }
    absl::StrAppend(&out, absl::StripTrailingAsciiWhitespace(line), "\n");
  }
  return out;
}

void FieldList::Add(absl::string_view name, absl::string_view value) {
  if (!value.empty()) fields_.emplace_back(absl::StrCat(name, ":"), Printable(value));
}

std::string FieldList::ToString() const {
  int width = 0;
  for (const auto& field : fields_) width = std::max(width, Width(field.first));
  std::string out;
  for (const auto& [name, value] : fields_) {
    absl::StrAppend(&out, name);
    Pad(width - Width(name) + 2, &out);
    absl::StrAppend(&out, value, "\n");
  }
  return out;
}

std::string Paint(absl::string_view text, Colour colour, bool enabled) {
  if (!enabled || colour == Colour::kNone) return std::string(text);
  const char* code = colour == Colour::kRed      ? "31"
                     : colour == Colour::kGreen  ? "32"
                     : colour == Colour::kYellow ? "33"
                                                 : "1";
  return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

std::string SizeText(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string DurationText(const google::protobuf::Duration& duration) {
  const absl::Duration d = absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  if (d < absl::Seconds(1)) return absl::StrCat(absl::ToInt64Milliseconds(d), " ms");
  if (d < absl::Minutes(1)) return absl::StrFormat("%.1f s", absl::ToDoubleSeconds(d));
  const int64_t seconds = absl::ToInt64Seconds(d);
  if (seconds < 3600) return absl::StrFormat("%d min %d s", seconds / 60, seconds % 60);
  return absl::StrFormat("%d h %d min", seconds / 3600, seconds / 60 % 60);
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromUnixSeconds(time.seconds()),
                          absl::UTCTimeZone());
}

std::string EnumText(absl::string_view name, absl::string_view prefix) {
  const std::string lower = absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
  if (lower.empty()) return "unknown";
  return absl::StrReplaceAll(lower, {{"_", "-"}});
}

}  // namespace vuf::cli
