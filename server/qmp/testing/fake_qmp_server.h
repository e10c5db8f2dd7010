// A QMP server by script, on a real unix socket, for tests. It does exactly what the script says,
// garbage included; nothing in it waits for time to pass.
#ifndef VUFD_SERVER_QMP_TESTING_FAKE_QMP_SERVER_H_
#define VUFD_SERVER_QMP_TESTING_FAKE_QMP_SERVER_H_

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "tests/testing/temp_directory.h"

namespace vuf {

class FakeQmpServer {
 public:
  // What is sent for a request. "$ID" in `bytes` becomes the id of the request.
  struct Answer {
    std::string bytes;
    bool close = false;
  };

  // Listens at once, in a directory of its own.
  FakeQmpServer();
  ~FakeQmpServer();
  FakeQmpServer(const FakeQmpServer&) = delete;
  FakeQmpServer& operator=(const FakeQmpServer&) = delete;

  const std::string& path() const { return path_; }

  // Sent to every client; the default is QEMU 10.0's. Empty: it never greets.
  void SetGreeting(std::string bytes);
  // Answers to a command; the default for all is {"return": {}}.
  void Return(const std::string& command, nlohmann::json value);
  void Refuse(const std::string& command, const std::string& desc,
              const std::string& error_class = "GenericError");
  // Only when the arguments are equal; goes before an answer for the command alone.
  void ReturnFor(const std::string& command, const nlohmann::json& arguments,
                 nlohmann::json message);
  void AnswerWith(const std::string& command, Answer answer);
  // A recorded session: [{"send": null or {execute, arguments}, "receive": message}]. Commands that
  // were not recorded are refused with CommandNotFound.
  void Replay(const nlohmann::json& transcript);
  // Keeps the answers to a command back until Release; later answers then come first.
  void Hold(const std::string& command);
  void Release(const std::string& command);
  // Reads nothing and answers nothing from now on, like a stopped process.
  void Freeze();
  // Bytes out of turn. Waits for a client.
  void Send(const std::string& bytes);
  void Emit(const std::string& event, const nlohmann::json& data = nlohmann::json::object());
  void CloseClient();

  // Execute names in order, without qmp_capabilities.
  std::vector<std::string> Commands() const;
  std::vector<nlohmann::json> Requests() const;
  // Waits (bounded) until `command` arrived `times` times.
  bool AwaitCommand(const std::string& command, int times = 1) const;
  // Descriptors that came with getfd, by name; the server owns them.
  std::map<std::string, int> Descriptors() const;

 private:
  void Serve();
  void Accept() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Handle(const std::string& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer AnswerTo(const nlohmann::json& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Write(const Answer& answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Drop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Wake();

  TempDirectory directory_;
  std::string path_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};

  mutable Mutex mu_;
  mutable CondVar changed_;
  int client_ ABSL_GUARDED_BY(mu_) = -1;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  bool frozen_ ABSL_GUARDED_BY(mu_) = false;
  bool replaying_ ABSL_GUARDED_BY(mu_) = false;
  std::string greeting_ ABSL_GUARDED_BY(mu_);
  std::string input_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Answer> answers_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Answer> answers_for_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> held_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::vector<Answer>> kept_back_ ABSL_GUARDED_BY(mu_);
  std::vector<nlohmann::json> requests_ ABSL_GUARDED_BY(mu_);
  std::vector<int> received_fds_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> descriptors_ ABSL_GUARDED_BY(mu_);

  std::thread thread_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_QMP_TESTING_FAKE_QMP_SERVER_H_
