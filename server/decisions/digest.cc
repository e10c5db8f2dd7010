#include "server/decisions/digest.h"

#include <openssl/sha.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

std::string DigestOfRules() {
  std::string text;
  for (const RegisteredRule& registered : AllRules()) {
    absl::StrAppend(&text, registered.code, " ", static_cast<int>(registered.rule->severity), " ",
                    static_cast<unsigned>(registered.rule->against), "\n");
  }
  return Sha256(text);
}

}  // namespace

std::string Sha256(absl::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof digest));
}

const std::string& RulesDigest() {
  static const auto* const digest = new std::string(DigestOfRules());
  return *digest;
}

}  // namespace vuf
