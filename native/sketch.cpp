#include "sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include "text.h"

namespace locard {

void Sketch::add(std::uint64_t hash) {
  const std::size_t which = hash >> (64 - kBits);
  const auto rank = static_cast<std::uint8_t>(std::countl_zero(hash << kBits | 1) + 1);
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
  const auto size = static_cast<double>(registers_.size());
  double sum = 0;
  int empty = 0;
  for (const std::uint8_t rank : registers_) {
    sum += std::ldexp(1.0, -rank);
    empty += rank == 0;
  }
  const double raw = 0.7213 / (1 + 1.079 / size) * size * size / sum;
  return std::llround(raw <= 2.5 * size && empty ? size * std::log(size / empty) : raw);
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
