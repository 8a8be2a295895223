// Room for much text, as cheaply as the system gives it.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

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

// Room of texts that are done with, for the next ones: what was written once faults no more. Threads may
// share it.
class SpareRoom {
 public:
  // An empty text with room for so many bytes.
  std::string take(std::size_t size) {
    std::string found;
    {
      const std::lock_guard lock(mutex_);
      const auto fits = std::find_if(spare_.begin(), spare_.end(), [&](const std::string& s) { return s.capacity() >= size; });
      if (fits != spare_.end()) {
        found.swap(*fits);
        held_ -= found.capacity();
        spare_.erase(fits);
      }
    }
    if (found.capacity() < size) reserve(found, size);
    return found;
  }

  void give(std::string&& bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes.capacity() < kLeast || held_ + bytes.capacity() > kMost) return;
    bytes.clear();
    held_ += bytes.capacity();
    spare_.push_back(std::move(bytes));
  }

 private:
  static constexpr std::size_t kLeast = 128 << 10, kMost = 64 << 20;  // bytes

  std::mutex mutex_;
  std::vector<std::string> spare_;
  std::size_t held_ = 0;
};

}  // namespace locard
