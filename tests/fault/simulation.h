// Two agents and a migration between their hosts, with everything that may go wrong, drawn from a
// seed. One seed is one schedule, always the same.
#ifndef VUFD_TESTS_FAULT_SIMULATION_H_
#define VUFD_TESTS_FAULT_SIMULATION_H_

#include <cstdint>
#include <string>
#include <vector>

namespace vuf {

// Planted on purpose, in the world around the product: what the simulation must find.
enum class PlantedBug {
  kNone,
  // The source's store acknowledges COMMITTED before it has it.
  kCommitNotDurable,
  // "Undecided" arrives as "aborted".
  kUndecidedIsAborted,
  // The destination runs the guest as soon as it is asked for the promise.
  kRunsOnPromise,
};

struct Schedule {
  // Empty: every invariant holds.
  std::string violation;
  // Of every turn of every thread.
  uint64_t digest = 0;
  // What was done to it, and how it ended: "a killed", "cancelled", "link cut", "MOVED", ...
  std::vector<std::string> events;
};

// In a process of its own, so that nothing of an earlier schedule is left. With `planted` the
// violation is wanted.
Schedule Simulate(uint64_t seed, PlantedBug planted = PlantedBug::kNone);

}  // namespace vuf

#endif  // VUFD_TESTS_FAULT_SIMULATION_H_
