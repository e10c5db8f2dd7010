// Who takes part in keeper_session_fuzz, and the bytes that drive them.
#ifndef VUFD_TESTS_FUZZ_KEEPER_SESSION_ACTORS_H_
#define VUFD_TESTS_FUZZ_KEEPER_SESSION_ACTORS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "keeper/session.h"
#include "keeper/testing/fake_back_end.h"

namespace vuf::keeper {

// The fuzzer's bytes; zeros when they have run out.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return size_ == 0; }
  uint8_t Byte();
  uint64_t Number();
  void Fill(uint8_t* to, size_t count);

 private:
  const uint8_t* data_;
  size_t size_;
};

// One that a session knows, or one that it does not.
uint32_t AnyRequest(Input& input);

// A front-end that sends anything.
struct Anyone {
  uint64_t inode = 0;
  Connection connection;
  Fd memory = Memory(64 * 1024);
  uint64_t user_address = 0;
  Pipe saving;
  // Requests that must be answered and are not yet.
  int owed = 0;

  bool Send(Message message, bool need_reply);
  // What a start needs, in its order.
  void Describe(uint64_t features, uint32_t rings, uint32_t base);
  void SubmitOn(uint32_t ring, uint16_t available);
  bool SetMemory();
  // True: it was a table of memory, which need not be this one's.
  bool SendAnything(Input& input);
  void SendRing(Input& input, uint32_t request, uint32_t value);
  // Asks for a save, and fetches what came of it.
  void Save();
  void TakeSaved(std::string& out);
  void Load(Input& input, std::string state);
  void ReadAnswers();
};

}  // namespace vuf::keeper

#endif  // VUFD_TESTS_FUZZ_KEEPER_SESSION_ACTORS_H_
