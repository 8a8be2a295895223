// The skeleton of a message: what is left of it once numbers, paths, dates and the like are masked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace locard {

struct Skeleton {
  static constexpr std::size_t kMostTokens = 64;  // the rest of a longer message says no more
  static constexpr std::size_t kLongest = 1024;   // bytes of a message
  static constexpr std::size_t kCopied = 16;      // at once: what is behind the end is overwritten
  static constexpr char kVariable = '*';          // a token of its own; text cannot be mistaken for it
  static constexpr char kEnd = '\x1F';            // after each token

  std::array<char, kLongest + kMostTokens + kCopied> bytes;
  std::size_t size = 0;
  std::string_view text() const { return {bytes.data(), size}; }
};

// Makes the skeleton of a message of at most `kLongest` bytes, as far as its first newline; gives how
// many bytes that are. Reads nothing beyond the message. A name with a small number at its end (eth0) is a word
// where `keeps_numbered`.
using Masker = std::size_t (*)(std::string_view message, Skeleton& out, bool keeps_numbered);

Masker fastest_masker();  // for this processor
Masker plain_masker();    // for any: the same skeletons

}  // namespace locard
