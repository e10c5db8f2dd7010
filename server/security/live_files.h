// Files that are looked at again and again while the agent runs, and taken over when they are good.
#ifndef VUFD_SERVER_SECURITY_LIVE_FILES_H_
#define VUFD_SERVER_SECURITY_LIVE_FILES_H_

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace vuf {

// Some files that belong together. They are read whole and compared, not watched: that sees every
// way of replacing a file, the kubelet's swap of a symbolic link, a bind mount and a network file
// system included. Used by one thread at a time.
class LiveFiles {
 public:
  static constexpr size_t kMaxBytes = 1 << 20;

  struct File {
    // How errors call it: "tls.certificate_file".
    std::string field;
    std::string path;
  };
  // Takes the contents over, in the order of the files, or says why it does not.
  using Take = std::function<absl::Status(const std::vector<std::string>& contents)>;
  using OnFailure = std::function<void(const absl::Status&)>;

  // `on_failure` hears of contents that were not taken, once for each that is new.
  LiveFiles(std::vector<File> files, Take take, OnFailure on_failure);

  // The first time: the error is the caller's.
  absl::Status Load();
  // Takes what has changed. Contents that differ between two looks, one right after the other, are
  // being written: they wait for the next time.
  void Poll();

 private:
  struct Seen {
    std::vector<std::string> contents;
    absl::Status error;
    bool operator==(const Seen& other) const {
      return contents == other.contents && error == other.error;
    }
  };
  Seen Look() const;
  absl::Status TakeOver(const Seen& seen) const;

  const std::vector<File> files_;
  const Take take_;
  const OnFailure on_failure_;
  Seen last_;
};

// Calls `poll` every `period` from a thread of its own, until it is destroyed.
class Poller {
 public:
  Poller(absl::Duration period, std::function<void()> poll);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

 private:
  void Run();
  // False: the end.
  bool Wait();

  const absl::Duration period_;
  const std::function<void()> poll_;
  Mutex mu_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_LIVE_FILES_H_
