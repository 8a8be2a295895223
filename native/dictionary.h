// Different texts and their numbers, in the order in which they came.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace locard {

template <typename Word>
inline std::uint64_t load(const char* p) {
  Word word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// Whether two texts are equal; most values are short, and a call costs more than they do.
inline bool same_text(std::string_view a, std::string_view b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  const char *p = a.data(), *q = b.data();
  if (size > 16) return std::memcmp(p, q, size) == 0;
  if (size >= 8) {
    return load<std::uint64_t>(p) == load<std::uint64_t>(q) && load<std::uint64_t>(p + size - 8) == load<std::uint64_t>(q + size - 8);
  }
  if (size >= 4) {
    return load<std::uint32_t>(p) == load<std::uint32_t>(q) && load<std::uint32_t>(p + size - 4) == load<std::uint32_t>(q + size - 4);
  }
  return size == 0 || (p[0] == q[0] && p[size / 2] == q[size / 2] && p[size - 1] == q[size - 1]);
}

std::uint64_t hash_of(std::string_view text, std::uint64_t seed = 0);

// Hashed with a seed that is drawn once a process: a log cannot be written so that all its values collide.
class Dictionary {
 public:
  Dictionary();
  // The number of the text; a new one gets the next. At most 2^31 bytes of text.
  std::int32_t code(std::string_view text);
  std::int32_t find(std::string_view text) const;  // -1 if it is none of them
  std::size_t size() const { return offsets_.size() - 1; }
  std::size_t byte_count() const { return bytes_.size(); }
  std::string_view text(std::int32_t code) const {
    const auto at = static_cast<std::size_t>(code);
    return {bytes_.data() + offsets_[at], offsets_[at + 1] - offsets_[at]};
  }
  const std::vector<std::uint32_t>& offsets() const { return offsets_; }
  const std::string& bytes() const { return bytes_; }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t code = 0;  // code + 1, 0 is free
  };

  void grow();

  std::string bytes_;
  std::vector<std::uint32_t> offsets_;
  std::vector<Slot> slots_;
};

}  // namespace locard
