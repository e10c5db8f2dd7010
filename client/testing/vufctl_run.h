// One run of vufctl's commands against a fake agent.
#ifndef VUFD_CLIENT_TESTING_VUFCTL_RUN_H_
#define VUFD_CLIENT_TESTING_VUFCTL_RUN_H_

#include <sstream>
#include <string>
#include <vector>

#include "client/cli.h"
#include "client/testing/fake_agent.h"
#include "server/base/migration_state.h"

namespace vuf::cli {

struct Result {
  int code;
  std::string out;
  std::string err;
};

inline Result Vufctl(FakeAgent& agent, std::vector<std::string> words) {
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err};
  words.insert(words.begin(), "--server=" + agent.address());
  const int code = RunVufctl(words, terminal);
  return {code, out.str(), err.str()};
}

inline v1::Migration At(v1::Migration::State state, uint64_t revision) {
  v1::Migration migration;
  migration.set_name("migrations/m1");
  migration.set_vm("vms/a");
  migration.set_state(state);
  migration.set_revision(revision);
  if (IsFinal(state)) migration.mutable_end_time()->set_seconds(1);
  return migration;
}

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_TESTING_VUFCTL_RUN_H_
