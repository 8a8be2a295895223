#include "known.h"

#include <algorithm>
#include <array>
#include <map>

#include "skeleton.h"

namespace locard {

namespace {

constexpr std::size_t kMany = 64;         // skeletons of one template
constexpr std::size_t kMostPatterns = 16;  // each is tried on each new skeleton

struct Tokens {
  std::array<std::string_view, Skeleton::kMostTokens> text;
  std::size_t size = 0;
};

Tokens cut(std::string_view skeleton) {
  Tokens out;
  while (!skeleton.empty() && out.size < out.text.size()) {
    const std::size_t end = skeleton.find(Skeleton::kEnd);
    out.text[out.size++] = skeleton.substr(0, end);
    skeleton.remove_prefix(end + 1);
  }
  return out;
}

std::uint64_t hash_of_words(const Tokens& tokens, const std::vector<bool>& open, std::uint64_t seed) {
  for (std::size_t i = 0; i < tokens.size; ++i) seed = mix(seed ^ (open[i] ? 0 : hash_of(tokens.text[i])), 0x9E3779B97F4A7C15ULL + i);
  return seed;
}

}  // namespace

Known::Known(const Dictionary& skeletons, const Merger& merger) {
  std::vector<std::size_t> members(merger.rows().size(), 0);
  for (const std::int32_t row : merger.row_of()) ++members[static_cast<std::size_t>(row)];
  std::map<std::vector<bool>, std::vector<std::int32_t>> by_places;  // skeletons
  std::vector<std::pair<std::size_t, std::vector<bool>>> order;
  for (std::size_t r = 0; r < members.size(); ++r) {
    const Merger::Row& row = merger.rows()[r];
    if (members[r] < kMany || cut(skeletons.text(row.example)).size != row.tokens.size()) continue;
    std::vector<bool> open;
    for (const std::int32_t token : row.tokens) open.push_back(merger.is_variable(token));
    auto& found = by_places[open];
    if (found.empty()) order.emplace_back(0, open);
    found.push_back(row.example);
    std::find_if(order.begin(), order.end(), [&](const auto& one) { return one.second == open; })->first += members[r];
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  if (order.size() > kMostPatterns) order.resize(kMostPatterns);
  for (const auto& [many, open] : order) {
    for (const std::int32_t skeleton : by_places[open]) {
      skeletons_.emplace(hash_of_words(cut(skeletons.text(skeleton)), open, places_.size()), skeleton);
    }
    places_.push_back({open.size(), open});
  }
}

std::int32_t Known::find(std::string_view skeleton) const {
  if (places_.empty()) return -1;
  const Tokens tokens = cut(skeleton);
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].size != tokens.size) continue;
    const auto found = skeletons_.find(hash_of_words(tokens, places_[i].open, i));
    if (found != skeletons_.end()) return found->second;
  }
  return -1;
}

}  // namespace locard
