// A digest over who takes part in a migration.
#ifndef VUFD_SERVER_DECISION_FINGERPRINT_H_
#define VUFD_SERVER_DECISION_FINGERPRINT_H_

#include <string>

#include "server/decision/fnv.h"
#include "server/model/facts.h"

namespace vuf {

// 32 hex digits over boot, QEMU processes, UUIDs, devices, sockets, back-end processes and shares,
// for a keeper over its session and the process behind it.
// The same from run to run and whatever the order of the devices; evidence's age, run states and
// capabilities are not part of it, so it stays the same while a migration proceeds.
std::string Fingerprint(const Facts& facts);

class World;
// The same.
std::string FingerprintOf(const World& world);

// What one side adds to it: made once, for the fingerprints of any number of migrations.
class FingerprintPart {
 public:
  explicit FingerprintPart(const World& side);

 private:
  friend std::string FingerprintOf(const FingerprintPart& source,
                                   const FingerprintPart* destination);

  // Behind what is about neither side; only the source's counts.
  Fnv begin_;
  FnvPiece vm_;
  FnvPiece devices_;
};

// A null `destination`: there is none.
std::string FingerprintOf(const FingerprintPart& source, const FingerprintPart* destination);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_FINGERPRINT_H_
