// A guest's memory as one front-end describes it.
#ifndef VUFD_KEEPER_MEMORY_H_
#define VUFD_KEEPER_MEMORY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "keeper/wire.h"

namespace vuf::keeper {

// Every front-end maps the guest at addresses of its own. The back-end is shown one address space
// that is the same for all of them, because a back-end may look at its rings again while it takes a
// new table (libvhost-user does, and gives up when they are not in it).
class GuestMemory {
 public:
  // Takes the descriptors of SET_MEM_TABLE. Returns what is wrong with the message; "" is fine.
  std::string Take(Message& message);
  bool empty() const { return count_ == 0; }

  // SET_MEM_TABLE for the back-end, with duplicates of the descriptors.
  std::optional<Message> ForBackEnd() const;
  // The same with memory of nobody in place of the guest's: a back-end that has it no longer holds
  // on to the memory of a QEMU that is gone. It costs nothing, for nobody touches it.
  std::optional<Message> Placeholder() const;
  // The front-end's address as the back-end knows it. Absent: it is in no region.
  std::optional<uint64_t> ToBackEnd(uint64_t user_address) const;
  // 16 bits at the front-end's address, little-endian as virtio 1 has them. Read through the
  // descriptor, not a mapping: a front-end that truncates its file cannot kill a keeper.
  std::optional<uint16_t> Read16(uint64_t user_address) const;

 private:
  const MemRegion* Find(uint64_t user_address, uint64_t length, size_t& index) const;
  MemTable Translated() const;

  size_t count_ = 0;
  std::array<MemRegion, kMaxRegions> regions_;
  std::array<Fd, kMaxRegions> files_;
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_MEMORY_H_
