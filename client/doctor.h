// Whether this host is ready for vufd, and what is missing.
#ifndef VUFD_CLIENT_DOCTOR_H_
#define VUFD_CLIENT_DOCTOR_H_

#include <string>
#include <vector>

#include "client/vuf_client.h"
#include "google/protobuf/struct.pb.h"

namespace vuf::cli {

enum class Health { kOk, kWarn, kFail };

struct Check {
  Health health = Health::kFail;
  std::string name;
  // What was found.
  std::string found;
  // What to do about it; empty when it is OK.
  std::string remedy;
};

// The agent as it answers, and its process where it may be looked at.
std::vector<Check> CheckAgent(VufClient& client, const std::string& server);
// What can be seen without the agent. `root` is put before every path.
std::vector<Check> CheckHost(const std::string& root);

// What a process of the agent's privileges can see: capabilities and namespaces from
// ROOT/proc/PID, the state directory from its open files.
std::vector<Check> CheckAgentProcess(const std::string& root, int pid);

// No check failed.
bool Ready(const std::vector<Check>& checks);
std::string ChecksText(const std::vector<Check>& checks, int columns, bool colour);
// {"ready": bool, "checks": [{"health", "name", "found", "remedy"}]}
google::protobuf::Struct ChecksMessage(const std::vector<Check>& checks);

// The first bytes of a small file; empty when it cannot be read.
std::string ReadSmallFile(const std::string& path);

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_DOCTOR_H_
