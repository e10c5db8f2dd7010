// gRPC's core API, where its C++ one has no way to give certificates at each handshake.
#include "server/security/door.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "grpc/grpc.h"
#include "grpc/grpc_security.h"
#include "grpc/grpc_security_constants.h"
#include "grpc/slice.h"

namespace vuf {
namespace {

// What the door of one port knows; destroyed with gRPC's credentials.
struct Door {
  const Gate* gate;
  // Null: the certificate says who it is.
  std::shared_ptr<const DoorIdentity> identity;
  const TlsStore* store;

  Mutex mu;
  std::shared_ptr<const TlsMaterial> given ABSL_GUARDED_BY(mu);
};

std::vector<std::string> Properties(const grpc_auth_context* context, const char* name) {
  std::vector<std::string> values;
  grpc_auth_property_iterator it = grpc_auth_context_find_properties_by_name(context, name);
  while (const grpc_auth_property* property = grpc_auth_property_iterator_next(&it)) {
    values.emplace_back(property->value, property->value_length);
  }
  return values;
}

Identity IdentityFromCertificate(const grpc_auth_context* context) {
  const std::vector<std::string> spiffe = Properties(context, GRPC_PEER_SPIFFE_ID_PROPERTY_NAME);
  return TlsIdentity(spiffe.empty() ? "" : spiffe.front(),
                     Properties(context, GRPC_PEER_DNS_PROPERTY_NAME));
}

// The first call of a connection marks it, before its handler or any other call reads the marks.
void Mark(Door& door, grpc_auth_context* context, const Identity& identity) {
  MutexLock lock(&door.mu);
  if (!Properties(context, kIdentityProperty).empty()) return;
  for (const std::string& name : identity.names) {
    grpc_auth_context_add_property(context, kIdentityProperty, name.data(), name.size());
  }
}

std::string MethodOf(const grpc_metadata* metadata, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const auto text = [](const grpc_slice& slice) {
      return absl::string_view(reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
                               GRPC_SLICE_LENGTH(slice));
    };
    if (text(metadata[i].key) != ":path") continue;
    return std::string(absl::StripPrefix(text(metadata[i].value), "/"));
  }
  return "";
}

void Process(void* state, grpc_auth_context* context, const grpc_metadata* metadata, size_t count,
             grpc_process_auth_metadata_done_cb done, void* user_data) {
  Door& door = *static_cast<Door*>(state);
  const Identity identity =
      door.identity != nullptr ? door.identity->Get() : IdentityFromCertificate(context);
  Mark(door, context, identity);
  const std::string method = MethodOf(metadata, count);
  absl::Status status;
  if (!absl::StartsWith(method, "vuf.v1.") || FindMethodRule(method) == nullptr) {
    status = door.gate->Admit(identity, method).status;
  }
  done(user_data, nullptr, 0, nullptr, 0, static_cast<grpc_status_code>(status.code()),
       status.ok() ? nullptr : std::string(status.message()).c_str());
}

// The material of `store` if the port does not have it yet.
grpc_ssl_certificate_config_reload_status Fetch(void* state,
                                                grpc_ssl_server_certificate_config** config) {
  Door& door = *static_cast<Door*>(state);
  MutexLock lock(&door.mu);
  std::shared_ptr<const TlsMaterial> material = door.store->current();
  if (material == door.given) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair = {material->private_key.c_str(),
                                           material->certificate_chain.c_str()};
  *config = grpc_ssl_server_certificate_config_create(material->ca.c_str(), &pair, 1);
  door.given = std::move(material);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

class DoorCredentials final : public grpc::ServerCredentials {
 public:
  explicit DoorCredentials(std::unique_ptr<Door> door) {
    Door* const state = door.release();
    if (state->store == nullptr) {
      credentials_ = grpc_local_server_credentials_create(UDS);
    } else {
      // Its defaults are TLS 1.2 to 1.3.
      credentials_ = grpc_ssl_server_credentials_create_with_options(
          grpc_ssl_server_credentials_create_options_using_config_fetcher(
              GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, &Fetch, state));
    }
    // Its last act deletes the door.
    grpc_server_credentials_set_auth_metadata_processor(
        credentials_, {&Process, [](void* at) { delete static_cast<Door*>(at); }, state});
  }  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks)
  ~DoorCredentials() override { grpc_server_credentials_release(credentials_); }

  // The door is one already, and would be lost.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* credentials_;
};

std::shared_ptr<grpc::ServerCredentials> MakeDoor(const Gate* gate,
                                                  std::shared_ptr<const DoorIdentity> identity,
                                                  const TlsStore* store) {
  auto door = std::make_unique<Door>();
  door->gate = gate;
  door->identity = std::move(identity);
  door->store = store;
  return std::make_shared<DoorCredentials>(std::move(door));
}

}  // namespace

std::shared_ptr<grpc::ServerCredentials> UnixDoor(std::shared_ptr<const DoorIdentity> identity,
                                                  const Gate* gate) {
  return MakeDoor(gate, std::move(identity), nullptr);
}

std::shared_ptr<grpc::ServerCredentials> TlsDoor(const TlsStore* store, const Gate* gate) {
  return MakeDoor(gate, nullptr, store);
}

}  // namespace vuf
