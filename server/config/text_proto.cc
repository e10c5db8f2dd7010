#include "server/config/text_proto.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace vuf {
namespace {

// So that a broken file does not fill the log.
constexpr size_t kMaxErrors = 50;

class Collector : public google::protobuf::io::ErrorCollector {
 public:
  explicit Collector(std::vector<std::string>* errors) : errors_(*errors) {}
  // Counted from 0; -1 means no place in particular.
  void AddError(int line, int column, const std::string& message) override {
    errors_.push_back(line < 0 ? message
                               : absl::StrCat("line ", line + 1, ":", column + 1, ": ", message));
  }
  void AddWarning(int line, int column, const std::string& message) override {
    AddError(line, column, message);
  }

 private:
  std::vector<std::string>& errors_;
};

}  // namespace

absl::Status ErrorsAsStatus(std::vector<std::string> errors) {
  if (errors.empty()) return absl::OkStatus();
  const size_t count = errors.size();
  if (count > kMaxErrors) {
    errors.resize(kMaxErrors);
    errors.push_back(absl::StrCat("... and ", count - kMaxErrors, " more"));
  }
  return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
}

absl::Status ParseTextProto(absl::string_view text, google::protobuf::Message* message) {
  std::vector<std::string> errors;
  Collector collector(&errors);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&collector);
  const bool parsed = parser.ParseFromString(std::string(text), message);
  if (!parsed && errors.empty()) errors.emplace_back("not protobuf text format");
  return ErrorsAsStatus(std::move(errors));
}

}  // namespace vuf
