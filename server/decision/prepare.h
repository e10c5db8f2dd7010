// Prepare once, decide often. What the rules say about one side alone, and what of a side takes
// time to compare, is found out once for all the migrations that the side is part of; a decision
// then asks the rules about both sides only, and about no two devices that look the same.
//
// Judge() gives the verdict that Evaluate() gives of the same facts, to the letter, and asks
// everything again when what was prepared does not hold any more.
#ifndef VUFD_SERVER_DECISION_PREPARE_H_
#define VUFD_SERVER_DECISION_PREPARE_H_

#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "server/model/facts.h"
#include "server/model/verdict.h"

namespace vuf {

struct SideFindings;

// A VM that is to be moved, with everything that is not about a destination.
class PreparedSource {
 public:
  // `facts.destination` is not looked at. The request is taken to be the one of every migration.
  explicit PreparedSource(std::shared_ptr<const Facts> facts);
  ~PreparedSource();
  PreparedSource(const PreparedSource&) = delete;
  PreparedSource& operator=(const PreparedSource&) = delete;

  const Facts& facts() const { return *facts_; }
  // The same with the shadow policies in force; null when there are none.
  const PreparedSource* shadow() const { return shadow_.get(); }
  // False before it was prepared, and from the moment on at which evidence becomes too old: it
  // should be prepared again.
  bool HoldsAt(absl::Time now) const;

 private:
  friend class PreparedDestination;
  friend Verdict Judge(const PreparedSource&, const class PreparedDestination*, absl::Time);

  const std::shared_ptr<const Facts> facts_;
  const std::unique_ptr<const SideFindings> findings_;
  const std::unique_ptr<const PreparedSource> shadow_;
};

// A QEMU that waits for a VM.
class PreparedDestination {
 public:
  // For `source` and every other one with the same request on the same hosts. `now`: as of when.
  PreparedDestination(std::shared_ptr<const VmFacts> vm, const PreparedSource& source,
                      absl::Time now);
  ~PreparedDestination();
  PreparedDestination(const PreparedDestination&) = delete;
  PreparedDestination& operator=(const PreparedDestination&) = delete;

  // As of a source, and whether it is for such a one.
  bool HoldsFor(const PreparedSource& source, absl::Time now) const;

 private:
  friend Verdict Judge(const PreparedSource&, const PreparedDestination*, absl::Time);

  const std::shared_ptr<const VmFacts> vm_;
  // What it was prepared for: no VM is in it.
  const std::unique_ptr<const Facts> terms_;
  const std::unique_ptr<const SideFindings> findings_;
};

// The verdict on moving `source` to `destination`; null: the facts have none. Facts are as of when
// they were prepared, and their age as of `now`. Can be called by several threads.
Verdict Judge(const PreparedSource& source, const PreparedDestination* destination, absl::Time now);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_PREPARE_H_
