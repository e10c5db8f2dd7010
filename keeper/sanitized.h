// Tells tests whether a sanitizer is built in that makes system calls of its own, which a sandbox
// does not allow.
#ifndef VUFD_KEEPER_SANITIZED_H_
#define VUFD_KEEPER_SANITIZED_H_

namespace vuf::keeper {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VUF_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VUF_SANITIZED 1
#endif

#ifdef VUF_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_SANITIZED_H_
