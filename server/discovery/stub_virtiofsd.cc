// A program for tests that answers --version and --print-capabilities like the virtiofsd its
// argv[0] names, and otherwise waits to be killed: "virtiofsd" is Rust, "virtiofsd-c" is C,
// "virtiofsd-other" is no virtiofsd at all, "virtiofsd-hang", "virtiofsd-flood", "virtiofsd-fail"
// misbehave, "virtiofsd-env" prints what it was given.
#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

int PrintSurroundings() {
  printf("environment:");
  for (char** entry = environ; *entry != nullptr; ++entry) printf(" %s", *entry);
  printf(" descriptors:");
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 1;
  while (const dirent* const entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (name[0] != '.' && name != std::to_string(dirfd(directory))) printf(" %s", name.c_str());
  }
  closedir(directory);
  printf("\n");
  return 0;
}

int PrintVersion(const std::string& name) {
  if (name == "virtiofsd-env") return PrintSurroundings();
  if (name == "virtiofsd-fail") return 3;
  if (name == "virtiofsd-hang") {
    // A child that would hold the output open for ever.
    if (fork() >= 0) pause();
  }
  while (name == "virtiofsd-flood") puts("more and more and more and more and more and more");
  if (name == "virtiofsd-c") {
    puts("virtiofsd version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) somebody");
  } else {
    puts(name == "virtiofsd-other" ? "something else 1.0" : "virtiofsd 1.14.0");
  }
  return 0;
}

int PrintCapabilities(const std::string& name) {
  puts(name == "virtiofsd-c" ? "{\n  \"type\": \"fs\"\n}"
                             : "{\"type\": \"fs\", \"features\": [\"migrate-precopy\"]}");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argv[0];
  const std::string name = path.substr(path.rfind('/') + 1);
  if (argc == 2 && strcmp(argv[1], "--version") == 0) return PrintVersion(name);
  if (argc == 2 && strcmp(argv[1], "--print-capabilities") == 0) return PrintCapabilities(name);
  pause();
  return 0;
}
