#include "sketch.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "dictionary.h"
#include "text.h"

namespace locard {

namespace {

constexpr std::size_t kLongest = 200;  // code points of a text that is kept

// What registers that are still empty, and those that are full, add to the sum: sigma and tau of Ertl's
// "New cardinality estimation algorithms for HyperLogLog sketches" (2017).
double empty(double x) {
  if (x == 1) return INFINITY;
  double sum = x;
  for (double before = 0, weight = 1; sum != before; weight *= 2) {
    before = sum;
    x *= x;
    sum += x * weight;
  }
  return sum;
}

double full(double x) {
  if (x == 0 || x == 1) return 0;
  double sum = 1 - x;
  for (double before = 0, weight = 0.5; sum != before; weight /= 2) {
    before = sum;
    x = std::sqrt(x);
    sum -= (1 - x) * (1 - x) * weight;
  }
  return sum / 3;
}

}  // namespace

Sketch::Kept* Sketch::find(std::uint64_t hash, std::string_view text) {
  for (Kept& kept : kept_) {
    if (kept.hash == hash && same_text(kept.text, text)) return &kept;
  }
  return nullptr;
}

void Sketch::keep(std::uint64_t hash, std::string_view text) {
  if (text.size() > kLongest) {
    text = first_code_points(text, kLongest);
    hash = hash_of(text);
  }
  if (Kept* const known = find(hash, text)) {
    ++known->count;
  } else if (kept_.size() < kKept) {
    kept_.push_back({hash, 1, std::string(text)});
  } else {
    drop(1);
  }
}

void Sketch::drop(std::int64_t count) {
  for (Kept& kept : kept_) kept.count -= count;
  std::erase_if(kept_, [](const Kept& kept) { return kept.count <= 0; });
}

void Sketch::take(const Sketch& other) {
  for (std::size_t i = 0; i < registers_.size(); ++i) registers_[i] = std::max(registers_[i], other.registers_[i]);
  // As Agarwal et al. (Mergeable Summaries, 2012): what is too much is taken off all of them alike.
  for (const Kept& kept : other.kept_) {
    Kept* const known = find(kept.hash, kept.text);
    if (known) {
      known->count += kept.count;
    } else {
      kept_.push_back(kept);
    }
  }
  if (kept_.size() <= kKept) return;
  std::vector<std::int64_t> counts;
  for (const Kept& kept : kept_) counts.push_back(kept.count);
  std::nth_element(counts.begin(), counts.begin() + kKept, counts.end(), std::greater<>());
  drop(counts[kKept]);
}

std::int64_t Sketch::distinct() const {
  std::array<double, kRanks + 1> count{};  // of registers by rank
  for (const std::uint8_t rank : registers_) ++count[rank];
  const auto size = static_cast<double>(registers_.size());
  double sum = size * full(1 - count[kRanks] / size);
  for (std::size_t rank = kRanks - 1; rank >= 1; --rank) sum = (sum + count[rank]) / 2;
  sum += size * empty(count[0] / size);
  return std::llround(size * size / (2 * std::numbers::ln2 * sum));
}

std::vector<std::pair<std::string, std::int64_t>> Sketch::frequent() const {
  std::vector<std::pair<std::string, std::int64_t>> found;
  for (const auto& [hash, count, text] : kept_) {
    if (count > 1) found.emplace_back(text, count * static_cast<std::int64_t>(kOneIn));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  return found;
}

}  // namespace locard
