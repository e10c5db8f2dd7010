// A digest over who takes part in a migration.
#ifndef VUFD_SERVER_DECISION_FINGERPRINT_H_
#define VUFD_SERVER_DECISION_FINGERPRINT_H_

#include <string>

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

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_FINGERPRINT_H_
