// Shared by the registry's tests: a registry over a store in memory that can be opened again.
#ifndef VUFD_SERVER_REGISTRY_REGISTRY_TEST_UTIL_H_
#define VUFD_SERVER_REGISTRY_REGISTRY_TEST_UTIL_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/registry/registry.h"
#include "server/store/fake_store.h"

namespace vuf {

inline v1::Vm MakeVm(const std::string& id) {
  v1::Vm vm;
  vm.set_name("vms/" + id);
  vm.set_qmp_socket("/run/" + id + ".qmp");
  vm.set_uuid("uuid-of-" + id);
  return vm;
}

inline v1::Endpoint MakeEndpoint(const std::string& id) {
  v1::Endpoint endpoint;
  endpoint.set_name("endpoints/" + id);
  endpoint.set_socket_path("/run/" + id + ".sock");
  return endpoint;
}

inline v1::BackEndProfile MakeProfile(const std::string& id) {
  v1::BackEndProfile profile;
  profile.set_name("backEndProfiles/" + id);
  profile.set_executable_name(id);
  profile.set_kind(id);
  return profile;
}

inline RequestKey Key(const std::string& id, const std::string& digest = "d") {
  return {"Service.Create", id, digest};
}

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() { Reopen(); }

  void Reopen() {
    registry_.reset();
    auto opened = Registry::Open(&store_, &clock_, {MakeProfile("shipped")});
    ASSERT_TRUE(opened.ok()) << opened.status();
    registry_ = *std::move(opened);
  }
  absl::Time Soon() const { return clock_.Now() + absl::Seconds(30); }

  absl::StatusOr<v1::Vm> Create(v1::Vm vm, const RequestKey& key = {}) {
    return registry_->CreateVm(std::move(vm), key, Soon());
  }
  absl::StatusOr<v1::Endpoint> Create(v1::Endpoint endpoint, const RequestKey& key = {}) {
    return registry_->CreateEndpoint(std::move(endpoint), key, Soon());
  }
  absl::StatusOr<v1::BackEndProfile> Create(v1::BackEndProfile profile,
                                            const RequestKey& key = {}) {
    return registry_->CreateProfile(std::move(profile), key, Soon());
  }

  FakeStore store_;
  FakeClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  std::unique_ptr<Registry> registry_;
};

template <typename StatusOrStatus>
std::string MessageOf(const StatusOrStatus& result) {
  if constexpr (std::is_same_v<StatusOrStatus, absl::Status>) {
    return std::string(result.message());
  } else {
    return std::string(result.status().message());
  }
}

}  // namespace vuf

#endif  // VUFD_SERVER_REGISTRY_REGISTRY_TEST_UTIL_H_
