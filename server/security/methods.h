// Every method of the API: who may call it, and whether the audit log has it. Whatever is not in
// this table is refused to everybody; a test walks all linked services.
#ifndef VUFD_SERVER_SECURITY_METHODS_H_
#define VUFD_SERVER_SECURITY_METHODS_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "vuf/config/v1/config.pb.h"

namespace vuf {

struct MethodRule {
  // "vuf.v1.VmService/GetVm".
  absl::string_view method;
  // Who may call it. UNSPECIFIED, which nobody has: nobody, unless it is `open`.
  config::v1::Role role = config::v1::ROLE_UNSPECIFIED;
  // Everybody may call it, whoever it is.
  bool open = false;
  // It changes something: written to the audit log.
  bool changes = false;
  // What ends a migration, or keeps two hosts of one mind: never refused for load, nor for an audit
  // log that cannot be written.
  bool essential = false;
  // The field of the request that says what it is about, for the audit log: "endpoint.name".
  absl::string_view resource = {};
};

const std::vector<MethodRule>& MethodRules();
// nullptr: not in the table.
const MethodRule* FindMethodRule(absl::string_view method);

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_METHODS_H_
