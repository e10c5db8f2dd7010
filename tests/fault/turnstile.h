// All threads of a program go one at a time, in an order that a seed decides, in a time of their
// own.
//
// This takes the place of the C library's threads, mutexes, condition variables, sleeping, clocks,
// poll and random bytes, for the whole program that it is linked into, between Begin and End. So
// the code under test is the product's own, unchanged, and a seed gives the same run again.
//
// A thread gives its turn away where it waits, and now and then where it locks a mutex. Time goes
// on a little with every turn, and when everybody waits, to the next moment that somebody waits
// for; so waiting costs nothing. Not for sanitizers that look at threads themselves.
#ifndef VUFD_TESTS_FAULT_TURNSTILE_H_
#define VUFD_TESTS_FAULT_TURNSTILE_H_

#include <cstdint>

namespace vuf::turnstile {

// The caller becomes the first thread; it must be the only one.
void Begin(uint64_t seed);
// All others must have ended. Returns a digest of every turn that was taken.
uint64_t End();

}  // namespace vuf::turnstile

#endif  // VUFD_TESTS_FAULT_TURNSTILE_H_
