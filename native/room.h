// Room for much text, as cheaply as the system gives it.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace locard {

// Of which the rest of a page is little.
constexpr std::size_t kMuchRoom = 4 << 20;
constexpr std::size_t kHugePage = 2 << 20;

// Reserves so many bytes. Of much room, huge pages are asked for, before anything is written: a page fault
// costs more than reading what fits into a page. What is never written costs no memory, but for the rest of
// a page.
inline void reserve(std::string& bytes, std::size_t size) {
  std::string larger;
  larger.reserve(size);
#if defined(MADV_HUGEPAGE)
  const auto begin = (reinterpret_cast<std::uintptr_t>(larger.data()) + kHugePage - 1) / kHugePage * kHugePage;
  const auto end = (reinterpret_cast<std::uintptr_t>(larger.data()) + larger.capacity()) / kHugePage * kHugePage;
  // A system without them goes on.
  if (size >= kMuchRoom && begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
  larger.append(bytes);
  bytes = std::move(larger);
}

// Makes room for so many more: with much text at once for a lot, as growing copies what is there.
inline void grow(std::string& bytes, std::size_t more) {
  const std::size_t room = bytes.capacity();
  if (bytes.size() + more <= room) return;
  reserve(bytes, std::max(bytes.size() + more, room * (room < (1 << 20) ? 2 : 4)));
}

}  // namespace locard
