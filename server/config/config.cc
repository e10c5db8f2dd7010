#include "server/config/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "server/config/validate.h"
#include "vuf/config/v1/config.pb.h"

namespace vuf {
namespace {

constexpr size_t kMaxBytes = 1 << 20;
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

absl::Status AsStatus(std::vector<std::string> errors) {
  if (errors.empty()) return absl::OkStatus();
  const size_t count = errors.size();
  if (count > kMaxErrors) {
    errors.resize(kMaxErrors);
    errors.push_back(absl::StrCat("... and ", count - kMaxErrors, " more"));
  }
  return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
}

absl::Status FileError(const std::string& path, const char* doing, int error) {
  const std::string message =
      absl::StrCat("configuration \"", path, "\": cannot ", doing, ": ", strerror(error));
  return error == ENOENT ? absl::NotFoundError(message) : absl::FailedPreconditionError(message);
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  // Without O_NONBLOCK a FIFO in the file's place would keep the start waiting for a writer.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError(path, "open", errno);
  const absl::Cleanup close_fd = [fd] { close(fd); };
  struct stat info;
  if (fstat(fd, &info) != 0) return FileError(path, "look at", errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("configuration \"", path, "\" is not a regular file"));
  }
  std::string text(kMaxBytes + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(path, "read", errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace

absl::StatusOr<Config> ParseConfig(absl::string_view text) {
  if (text.size() > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the configuration is larger than ", kMaxBytes, " bytes"));
  }
  std::vector<std::string> errors;
  Collector collector(&errors);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&collector);
  config::v1::Config message;
  const bool parsed = parser.ParseFromString(std::string(text), &message);
  if (!parsed && errors.empty()) errors.push_back("not protobuf text format");
  // After an error the rest of the text has not been read: judging it would add false errors.
  if (!errors.empty()) return AsStatus(std::move(errors));
  Config config = ValidateConfig(message, &errors);
  if (absl::Status status = AsStatus(std::move(errors)); !status.ok()) return status;
  return config;
}

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<Config> config = ParseConfig(*text);
  if (config.ok()) return config;
  return absl::Status(config.status().code(),
                      absl::StrCat("configuration \"", path, "\":\n", config.status().message()));
}

}  // namespace vuf
