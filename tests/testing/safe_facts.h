// The safe world, for tests that spoil one thing in it.
#ifndef VUFD_TESTS_TESTING_SAFE_FACTS_H_
#define VUFD_TESTS_TESTING_SAFE_FACTS_H_

#include <string>

#include "absl/time/time.h"
#include "server/model/facts.h"

namespace vuf {

// When everything in SafeFacts() was observed; its `now` is a second later.
absl::Time SafeTime();

// A VM with `devices` vhost-user-fs devices (fs0, fs1, ...) on this host, QEMU 10.0 and virtiofsd
// 1.14 with file handles on both sides, every device with a back-end of its own and the same share
// on either side. A stateful migration is asked for, and nothing speaks against it.
Facts SafeFacts(int devices = 1);

// The same with `keepers` devices (the first ones), each served to both sides by one vuf-keeper of
// its own: destination idle, source driving, no hand-over under way. `plain` more devices are as in
// SafeFacts. Nothing speaks against the stateless mode, which is permitted, the stateful one only
// when a plain device needs it.
Facts SafeKeeperFacts(int keepers = 1, int plain = 0);

// SafeFacts() with the destination in the charge of another agent, which shares this machine; the
// stream is encrypted, and the policy permits it.
Facts SafeOtherHostFacts();

// Turns SafeKeeperFacts() into what is known when the source of a sequential migration has saved
// its state under `permit` and quit, and the destination has come up.
void MakeSecondStage(Facts& facts, const std::string& permit = "m1");

// Makes memory a file that both sides map, and asks for it to be shared instead of copied.
void MakeRamShared(Facts& facts);

// Parts of it, valid at SafeTime().
VmFacts SafeSource(int devices = 1);
VmFacts SafeDestination(int devices = 1);
// The shipped policy: fs0, fs1, ... may migrate in both modes on the same host.
Evidence<EffectivePolicy> SafePolicy(int devices = 1);

}  // namespace vuf

#endif  // VUFD_TESTS_TESTING_SAFE_FACTS_H_
