// What EvaluateMigration costs beyond an RPC: the whole path over fakes behind the ports, against
// a bare echo of the same sizes, on the same kind of socket, in the same run, call by call.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/support/slice.h"
#include "server/base/log.h"
#include "tests/component/api_world.h"

namespace vuf {
namespace {

constexpr char kEvaluate[] = "/vuf.v1.MigrationService/EvaluateMigration";
constexpr char kEcho[] = "/bench/Echo";
constexpr int kWarmUp = 200;
constexpr int kCalls = 2000;
constexpr int kCallers = 4;
constexpr int kRounds = 5;

grpc::ByteBuffer Buffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

// Answers every call with the same bytes.
class Echo : public grpc::CallbackGenericService {
 public:
  explicit Echo(const std::string& answer) : answer_(Buffer(answer)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new Reactor(&answer_);
  }

 private:
  class Reactor : public grpc::ServerGenericBidiReactor {
   public:
    explicit Reactor(const grpc::ByteBuffer* answer) : answer_(answer) { StartRead(&request_); }
    void OnReadDone(bool ok) override {
      if (!ok) return Finish(grpc::Status(grpc::StatusCode::INTERNAL, "no request"));
      StartWriteAndFinish(answer_, grpc::WriteOptions(), grpc::Status::OK);
    }
    void OnDone() override { delete this; }

   private:
    const grpc::ByteBuffer* const answer_;
    grpc::ByteBuffer request_;
  };

  const grpc::ByteBuffer answer_;
};

class Caller {
 public:
  Caller(std::shared_ptr<grpc::Channel> channel, std::string method, const std::string& request)
      : stub_(std::move(channel)), method_(std::move(method)), request_(Buffer(request)) {}

  // Returns how long it took; sets `response` when wanted.
  absl::Duration Call(std::string* response = nullptr) {
    const absl::Time begin = absl::Now();
    const auto context = Context();
    grpc::ByteBuffer answer;
    grpc::Status status;
    const auto call = stub_.PrepareUnaryCall(context.get(), method_, request_, &queue_);
    call->StartCall();
    call->Finish(&answer, &status, nullptr);
    void* tag;
    bool ok;
    queue_.Next(&tag, &ok);
    const absl::Duration took = absl::Now() - begin;
    if (!status.ok()) {
      fprintf(stderr, "%s: %s\n", method_.c_str(), status.error_message().c_str());
      exit(1);
    }
    if (response != nullptr) {
      grpc::Slice slice;
      answer.DumpToSingleSlice(&slice).ok();
      response->assign(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    return took;
  }

 private:
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  const std::string method_;
  const grpc::ByteBuffer request_;
};

double Micros(std::vector<absl::Duration>& times, double quantile) {
  std::sort(times.begin(), times.end());
  const size_t index = static_cast<size_t>(quantile * static_cast<double>(times.size() - 1));
  return absl::ToDoubleMicroseconds(times[index]);
}

// Calls per second of several callers, each with one call at a time on a channel of its own.
double Throughput(const std::string& address, const std::string& method,
                  const std::string& request) {
  std::vector<std::thread> threads;
  const absl::Time begin = absl::Now();
  for (int i = 0; i < kCallers; ++i) {
    threads.emplace_back([&, i] {
      grpc::ChannelArguments own;
      own.SetInt("caller", i);
      Caller caller(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), own),
                    method, request);
      for (int call = 0; call < kCalls / kCallers; ++call) caller.Call();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return kCalls / absl::ToDoubleSeconds(absl::Now() - begin);
}

// In turns, so that whatever else the machine does hits both.
void PrintThroughput(const std::string& api, const std::string& echo, const std::string& request) {
  for (int round = 0; round < kRounds; ++round) {
    const double evaluated = Throughput(api, kEvaluate, request);
    const double echoed = Throughput(echo, kEcho, request);
    printf("%d callers: evaluate %.0f calls/s, echo %.0f calls/s: %.0f %%\n", kCallers, evaluated,
           echoed, 100 * evaluated / echoed);
  }
}

std::string EvaluateRequest(const ApiWorld& world) {
  v1::EvaluateMigrationRequest request;
  request.set_vm("vms/guest");
  request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
  request.mutable_destination()->mutable_same_host()->set_qmp_socket(world.destination());
  return request.SerializeAsString();
}

int Run() {
  ConfigureLog(LogLevel::kError, false);
  ApiWorld world;
  world.RegisterSource();
  const std::string request = EvaluateRequest(world);
  Caller evaluate(world.channel, kEvaluate, request);
  std::string answer;
  evaluate.Call(&answer);

  Echo echo_service(answer);
  const std::string address = absl::StrCat("unix:", world.directory.Path("echo.sock"));
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterCallbackGenericService(&echo_service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  Caller echo(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()), kEcho, request);

  std::vector<absl::Duration> evaluations, echoes;
  for (int i = 0; i < kWarmUp + kCalls; ++i) {
    const absl::Duration one = evaluate.Call();
    const absl::Duration other = echo.Call();
    if (i < kWarmUp) continue;
    evaluations.push_back(one);
    echoes.push_back(other);
  }
  const double ratio = Micros(evaluations, 0.5) / Micros(echoes, 0.5);
  printf("request %zu bytes, answer %zu bytes, %d calls each\n", request.size(), answer.size(),
         kCalls);
  printf("evaluate p50 %.0f us, p99 %.0f us\n", Micros(evaluations, 0.5),
         Micros(evaluations, 0.99));
  printf("echo     p50 %.0f us, p99 %.0f us\n", Micros(echoes, 0.5), Micros(echoes, 0.99));
  printf("ratio of p50s %.2f\n", ratio);
  PrintThroughput(absl::StrCat("unix:", world.directory.Path("api.sock")), address, request);
  server->Shutdown();
  return 0;
}

}  // namespace
}  // namespace vuf

int main() { return vuf::Run(); }
