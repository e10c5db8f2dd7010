// What an agent has and does, at a glance, as a page for a browser.
#ifndef VUFD_SERVER_STATUS_STATUS_PAGE_H_
#define VUFD_SERVER_STATUS_STATUS_PAGE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/decisions/decision_log.h"
#include "server/registry/registry.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {

struct StatusFacts {
  std::string version;
  std::string host;
  absl::Time start;
  absl::Time now;
  // "READY", "RECONCILING" or "NOT SERVING", as /healthz has it.
  std::string health;
  std::shared_ptr<const Registry::Snapshot> registry;
  // Newest first, all that have not ended among them.
  std::vector<v1::Migration> migrations;
  // Newest first.
  std::vector<DecisionLog::Shared> decisions;
};

// At most kStatusRows rows of each kind, whole HTML. Refreshes itself, by script or without.
inline constexpr size_t kStatusRows = 200;
std::string StatusPage(const StatusFacts& facts);

// What the page refers to: /status.js and /status.css.
extern const char kStatusScript[];
extern const char kStatusStyle[];

}  // namespace vuf

#endif  // VUFD_SERVER_STATUS_STATUS_PAGE_H_
