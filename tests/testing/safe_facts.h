// The safe world, for tests that spoil one thing in it.
#ifndef VUFD_TESTS_TESTING_SAFE_FACTS_H_
#define VUFD_TESTS_TESTING_SAFE_FACTS_H_

#include "absl/time/time.h"
#include "server/model/facts.h"

namespace vuf {

// When everything in SafeFacts() was observed; its `now` is a second later.
absl::Time SafeTime();

// A VM with `devices` vhost-user-fs devices (fs0, fs1, ...) on this host, QEMU 10.0 and virtiofsd
// 1.14 with file handles on both sides, every device with a back-end of its own and the same share
// on either side. A stateful migration is asked for, and nothing speaks against it.
Facts SafeFacts(int devices = 1);

// Parts of it, valid at SafeTime().
VmFacts SafeSource(int devices = 1);
VmFacts SafeDestination(int devices = 1);

}  // namespace vuf

#endif  // VUFD_TESTS_TESTING_SAFE_FACTS_H_
