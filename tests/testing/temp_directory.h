// A directory of one test's own, with a short name: Bazel's TEST_TMPDIR is often longer than the
// 107 bytes that a unix socket's path may have.
#ifndef VUFD_TESTS_TESTING_TEMP_DIRECTORY_H_
#define VUFD_TESTS_TESTING_TEMP_DIRECTORY_H_

#include <cstdlib>
#include <filesystem>
#include <string>

namespace vuf {

// Removed, with all that is in it, with the object.
class TempDirectory {
 public:
  TempDirectory() {
    char name[] = "/tmp/vufXXXXXX";
    // A test without its directory can do nothing sensible.
    if (mkdtemp(name) == nullptr) std::abort();
    path_ = name;
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace vuf

#endif  // VUFD_TESTS_TESTING_TEMP_DIRECTORY_H_
