#include "client/doctor.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "client/text.h"

namespace vuf::cli {
namespace {

std::string HealthText(Health health) {
  return health == Health::kOk ? "OK" : health == Health::kWarn ? "WARN" : "FAIL";
}

Colour HealthColour(Health health) {
  return health == Health::kOk     ? Colour::kGreen
         : health == Health::kWarn ? Colour::kYellow
                                   : Colour::kRed;
}

int Count(const std::vector<Check>& checks, Health health) {
  int count = 0;
  for (const Check& check : checks) count += check.health == health ? 1 : 0;
  return count;
}

}  // namespace

bool Ready(const std::vector<Check>& checks) { return Count(checks, Health::kFail) == 0; }

std::string ChecksText(const std::vector<Check>& checks, int columns, bool colour) {
  std::string text;
  for (const Check& check : checks) {
    const std::string health = HealthText(check.health);
    std::string line = Wrap(check.found, columns, 24,
                            absl::StrCat(health, std::string(6 - health.size(), ' '), check.name));
    line.replace(0, health.size(), Paint(health, HealthColour(check.health), colour));
    absl::StrAppend(&text, line);
    if (!check.remedy.empty()) {
      absl::StrAppend(&text, Wrap(check.remedy, columns, 24, "        what to do"));
    }
  }
  const int fails = Count(checks, Health::kFail);
  const int warnings = Count(checks, Health::kWarn);
  absl::StrAppend(&text, "\n", Ready(checks) ? "Ready" : "Not ready", ": ", fails, " failed, ",
                  warnings, " to look at\n");
  return text;
}

google::protobuf::Struct ChecksMessage(const std::vector<Check>& checks) {
  google::protobuf::Struct message;
  (*message.mutable_fields())["ready"].set_bool_value(Ready(checks));
  auto* list = (*message.mutable_fields())["checks"].mutable_list_value();
  for (const Check& check : checks) {
    auto& fields = *list->add_values()->mutable_struct_value()->mutable_fields();
    fields["health"].set_string_value(HealthText(check.health));
    fields["name"].set_string_value(check.name);
    fields["found"].set_string_value(Printable(check.found));
    fields["remedy"].set_string_value(check.remedy);
  }
  return message;
}

std::string ReadSmallFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(64 << 10, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

}  // namespace vuf::cli
