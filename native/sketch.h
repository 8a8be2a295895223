// How many different values a field has and which are frequent, for fields with too many to count.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace locard {

// Distinct values by HyperLogLog (Flajolet et al. 2007, estimated as by Ertl 2017; 4096 registers, 1.6 %
// standard error); the most
// frequent of one value in 16 by Misra and Gries (1982): a value that more than one in 64 has is
// among them.
class Sketch {
 public:
  // A text and its hash; no more than one in some of them costs anything.
  void add(std::uint64_t hash, std::string_view text) {
    add(hash);
    // Spread by the golden ratio: a log may repeat itself every so many lines.
    if (++seen_ * 0x9E3779B97F4A7C15ULL < UINT64_MAX / kOneIn) keep(hash, text);
  }

  // Where only different ones are counted.
  void add(std::uint64_t hash) {
    // The hash is made for tables; here each of its bits has to be as good as random (MurmurHash3's last step).
    hash = (hash ^ hash >> 33) * 0xFF51AFD7ED558CCDULL;
    hash = (hash ^ hash >> 33) * 0xC4CEB9FE1A85EC53ULL;
    hash ^= hash >> 33;
    const std::size_t which = hash >> (64 - kBits);
    constexpr std::uint64_t kLast = std::uint64_t{1} << (kBits - 1);
    const auto rank = static_cast<std::uint8_t>(std::countl_zero(hash << kBits | kLast) + 1);
    registers_[which] = std::max(registers_[which], rank);
  }

  void take(const Sketch& other);
  std::int64_t distinct() const;
  // Text and about how many values, the most frequent first.
  std::vector<std::pair<std::string, std::int64_t>> frequent() const;

 private:
  static constexpr int kBits = 12;
  static constexpr std::size_t kRanks = 64 - kBits + 1;
  static constexpr std::size_t kKept = 64;
  static constexpr std::uint64_t kOneIn = 16;

  struct Kept {
    std::uint64_t hash;
    std::int64_t count;
    std::string text;  // cut
  };

  void keep(std::uint64_t hash, std::string_view text);
  Kept* find(std::uint64_t hash, std::string_view text);
  void drop(std::int64_t count);

  std::array<std::uint8_t, std::size_t{1} << kBits> registers_{};
  std::vector<Kept> kept_;  // so few that looking at all of them is the fastest
  std::uint64_t seen_ = 0;
};

}  // namespace locard
