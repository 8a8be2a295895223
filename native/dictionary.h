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

// Both halves of the product of two words.
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Here, as of a number it is but a multiplication.
inline std::uint64_t hash_of(std::string_view text, std::uint64_t seed = 0) {
  const char* p = text.data();
  std::size_t left = text.size();
  std::uint64_t h = seed ^ (left * 0x9E3779B97F4A7C15ULL);
  for (; left > 16; p += 16, left -= 16) {
    h = mix(load<std::uint64_t>(p) ^ h, load<std::uint64_t>(p + 8) ^ 0xD6E8FEB86659FD93ULL);
  }
  // Two words that overlap cover any rest without a loop, reaching back where there is something.
  std::uint64_t a = 0, b = 0;
  if (text.size() >= 16) {
    a = load<std::uint64_t>(p + left - 16);
    b = load<std::uint64_t>(p + left - 8);
  } else if (left >= 8) {
    a = load<std::uint64_t>(p);
    b = load<std::uint64_t>(p + left - 8);
  } else if (left >= 4) {
    a = load<std::uint32_t>(p);
    b = load<std::uint32_t>(p + left - 4);
  } else if (left > 0) {
    a = static_cast<std::uint8_t>(p[0]) | static_cast<std::uint64_t>(static_cast<std::uint8_t>(p[left / 2])) << 8 |
        static_cast<std::uint64_t>(static_cast<std::uint8_t>(p[left - 1])) << 16;
  }
  return mix(a ^ h, b ^ 0x9E3779B97F4A7C15ULL);
}

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
