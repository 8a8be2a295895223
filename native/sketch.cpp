#include "sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace locard {

void Sketch::add(std::uint64_t hash) {
  const std::size_t which = hash >> (64 - kBits);
  const auto rank = static_cast<std::uint8_t>(std::countl_zero(hash << kBits | 1) + 1);
  registers_[which] = std::max(registers_[which], rank);
}

void Sketch::add(std::uint64_t hash, std::string_view text) {
  add(hash);
  if (++seen_ % kOneIn == 0) keep(text, 1);
}

void Sketch::keep(std::string_view text, std::int64_t count) {
  thread_local std::string key;
  key.assign(text.substr(0, 256));
  const auto known = kept_.find(key);
  if (known != kept_.end()) {
    known->second += count;
  } else if (kept_.size() < kKept) {
    kept_.emplace(key, count);
  } else {
    for (auto& item : kept_) item.second -= count;
    std::erase_if(kept_, [](const auto& item) { return item.second <= 0; });
  }
}

void Sketch::take(const Sketch& other) {
  for (std::size_t i = 0; i < registers_.size(); ++i) registers_[i] = std::max(registers_[i], other.registers_[i]);
  for (const auto& [text, count] : other.kept_) keep(text, count);
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
