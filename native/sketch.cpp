#include "sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numbers>

#include "text.h"

namespace locard {

namespace {

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

void Sketch::add(std::uint64_t hash) {
  // The hash is made for tables; here each of its bits has to be as good as random (MurmurHash3's last step).
  hash = (hash ^ hash >> 33) * 0xFF51AFD7ED558CCDULL;
  hash = (hash ^ hash >> 33) * 0xC4CEB9FE1A85EC53ULL;
  hash ^= hash >> 33;
  const std::size_t which = hash >> (64 - kBits);
  constexpr std::uint64_t kLast = std::uint64_t{1} << (kBits - 1);
  const auto rank = static_cast<std::uint8_t>(std::countl_zero(hash << kBits | kLast) + 1);
  registers_[which] = std::max(registers_[which], rank);
}

void Sketch::add(std::uint64_t hash, std::string_view text) {
  add(hash);
  // Spread by the golden ratio: a log may repeat itself every so many lines.
  if (++seen_ * 0x9E3779B97F4A7C15ULL < UINT64_MAX / kOneIn) keep(text);
}

void Sketch::keep(std::string_view text) {
  thread_local std::string key;
  key.assign(first_code_points(text, 200));
  const auto known = kept_.find(key);
  if (known != kept_.end()) {
    ++known->second;
  } else if (kept_.size() < kKept) {
    kept_.emplace(key, 1);
  } else {
    drop(1);
  }
}

void Sketch::drop(std::int64_t count) {
  for (auto& item : kept_) item.second -= count;
  std::erase_if(kept_, [](const auto& item) { return item.second <= 0; });
}

void Sketch::take(const Sketch& other) {
  for (std::size_t i = 0; i < registers_.size(); ++i) registers_[i] = std::max(registers_[i], other.registers_[i]);
  // As Agarwal et al. (Mergeable Summaries, 2012): what is too much is taken off all of them alike.
  for (const auto& [text, count] : other.kept_) kept_[text] += count;
  if (kept_.size() <= kKept) return;
  std::vector<std::int64_t> counts;
  for (const auto& item : kept_) counts.push_back(item.second);
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
  for (const auto& [text, count] : kept_) {
    if (count > 1) found.emplace_back(text, count * static_cast<std::int64_t>(kOneIn));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  return found;
}

}  // namespace locard
