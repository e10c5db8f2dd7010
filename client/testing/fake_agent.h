// An agent that answers as it is told, on a unix socket of its own.
#ifndef VUFD_CLIENT_TESTING_FAKE_AGENT_H_
#define VUFD_CLIENT_TESTING_FAKE_AGENT_H_

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "grpcpp/server.h"
#include "server/base/mutex.h"
#include "tests/testing/temp_directory.h"
#include "vuf/v1/back_end_profile.grpc.pb.h"
#include "vuf/v1/decision.grpc.pb.h"
#include "vuf/v1/endpoint.grpc.pb.h"
#include "vuf/v1/migration.grpc.pb.h"
#include "vuf/v1/vm.grpc.pb.h"

namespace vuf {

// What the fake holds and answers; set before the call that reads it.
struct FakeWorld {
  std::vector<v1::Vm> vms;
  // How many VMs a page of ListVms has at most, whatever was asked.
  int page_size = 2;
  v1::Verdict verdict;
  v1::Migration migration;
  // What ListMigrations answers, one call after the other; the last one for good.
  std::deque<std::vector<v1::Migration>> migrations;
  // Newest first.
  std::vector<v1::DecisionRecord> decisions;
  // One entry per WatchMigration stream: what it sends before it ends with UNAVAILABLE, or, after
  // the last entry, stays open until the caller leaves.
  std::deque<std::vector<v1::Migration>> streams;
  std::vector<v1::WatchEndpointsResponse> endpoint_changes;
  // Calls that are answered with UNAVAILABLE before one is served.
  int unavailable = 0;
  // What every call but the health check is answered with, when not OK.
  grpc::Status error;
};

class FakeAgent {
 public:
  explicit FakeAgent(FakeWorld world);
  ~FakeAgent();

  // "unix:/..."
  const std::string& address() const { return address_; }
  // The requests of the calls made so far, in order, each as "Method: short debug string".
  std::vector<std::string> calls();
  // The request ids seen so far, in order.
  std::vector<std::string> request_ids();
  // What health says; true at first.
  void SetServing(bool serving);
  // Waits until a stream has sent everything and stays open; false after ten seconds.
  bool AwaitIdleStream();

 private:
  class Vms;
  class Endpoints;
  class Profiles;
  class Migrations;
  class Decisions;

  // Notes the call; the error to answer it with, or OK.
  grpc::Status Enter(const std::string& method, const google::protobuf::Message& request);
  // Keeps a stream open until the caller leaves.
  grpc::Status StayOpen(grpc::ServerContext* context);

  TempDirectory directory_;
  std::string address_;
  Mutex mu_;
  CondVar changed_;
  FakeWorld world_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> request_ids_ ABSL_GUARDED_BY(mu_);
  bool idle_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace vuf

#endif  // VUFD_CLIENT_TESTING_FAKE_AGENT_H_
