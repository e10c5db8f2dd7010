// OpenSSL's objects, freed when their owner is gone.
#ifndef VUFD_SERVER_SECURITY_OPENSSL_PTR_H_
#define VUFD_SERVER_SECURITY_OPENSSL_PTR_H_

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>

namespace vuf::openssl {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

}  // namespace vuf::openssl

#endif  // VUFD_SERVER_SECURITY_OPENSSL_PTR_H_
