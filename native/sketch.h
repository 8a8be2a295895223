// How many different values a field has and which are frequent, for fields with too many to count.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace locard {

// Distinct values by HyperLogLog (Flajolet et al. 2007, estimated as by Ertl 2017; 4096 registers, 1.6 %
// standard error); the most
// frequent of one value in 16 by Misra and Gries (1982): a value that more than one in 64 has is
// among them.
class Sketch {
 public:
  void add(std::uint64_t hash, std::string_view text);
  void add(std::uint64_t hash);  // where only different ones are counted
  void take(const Sketch& other);
  std::int64_t distinct() const;
  // Text and about how many values, the most frequent first.
  std::vector<std::pair<std::string, std::int64_t>> frequent() const;

 private:
  static constexpr int kBits = 12;
  static constexpr std::size_t kRanks = 64 - kBits + 1;
  static constexpr std::size_t kKept = 64;
  static constexpr std::uint64_t kOneIn = 16;

  void keep(std::string_view text);
  void drop(std::int64_t count);

  std::array<std::uint8_t, std::size_t{1} << kBits> registers_{};
  std::unordered_map<std::string, std::int64_t> kept_;
  std::uint64_t seen_ = 0;
};

}  // namespace locard
