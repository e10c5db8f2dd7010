#include "server/model/back_end.h"

namespace vuf {

const char* PhaseName(KeeperFacts::Phase phase, const char* unknown) {
  switch (phase) {
    case KeeperFacts::Phase::kUnknown:
      return unknown;
    case KeeperFacts::Phase::kNone:
      return "none";
    case KeeperFacts::Phase::kArmed:
      return "armed";
    case KeeperFacts::Phase::kSaved:
      return "saved";
    case KeeperFacts::Phase::kLoaded:
      return "loaded";
  }
  return unknown;
}

}  // namespace vuf
