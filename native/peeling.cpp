#include "peeling.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>
#include <unordered_map>

namespace locard {

namespace {

constexpr std::size_t kFewestOfPart = 3;    // members, to speak for a template of their own
constexpr double kLeastPart = 0.15;         // of the members
constexpr double kByChance = 0.02;

std::uint64_t key_of(std::size_t place, std::int32_t token) {
  return static_cast<std::uint64_t>(place) << 32 | static_cast<std::uint32_t>(token);
}

}  // namespace

// How many members have a token at a place, and how many different ones are there.
struct Peeling::Counts {
  std::unordered_map<std::uint64_t, std::int32_t> members;
  std::map<std::size_t, std::size_t> different;  // by place

  void add(std::size_t place, std::int32_t token) {
    if (members[key_of(place, token)]++ == 0) ++different[place];
  }
  void remove(std::size_t place, std::int32_t token) {
    const auto found = members.find(key_of(place, token));
    if (--found->second == 0) {
      members.erase(found);
      --different[place];
    }
  }
  std::int32_t of(std::size_t place, std::int32_t token) const {
    const auto found = members.find(key_of(place, token));
    return found == members.end() ? 0 : found->second;
  }
};

void Peeling::run(Numbers members) {
  if (members.empty()) return;
  std::vector<std::size_t> open(sequences_[static_cast<std::size_t>(members[0])]->size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  resolve(std::move(members), std::move(open));
}

bool Peeling::is_mixture(const Numbers& members, const Counts& counts, const std::vector<std::size_t>& open) const {
  if (open.size() < 3) return false;
  const auto size = static_cast<double>(members.size());
  // The most frequent word of each open place, and its share.
  std::vector<std::pair<std::int32_t, double>> top;
  for (const std::size_t p : open) {
    std::int32_t best = -1, most = 0;
    for (const std::int32_t m : members) {
      const std::int32_t token = at(m, p), many = counts.of(p, token);
      if (many > most) best = token, most = many;
    }
    top.emplace_back(best, most / size);
  }
  for (std::size_t i = 0; i < open.size(); ++i) {
    const auto part_size = std::lround(top[i].second * size);
    if (kind_(top[i].first) != Token::kWord || part_size < static_cast<std::int64_t>(kFewestOfPart) || top[i].second < kLeastPart) continue;
    double chance = 1;
    for (std::size_t k = 0; k < open.size(); ++k) {
      if (k == i) continue;
      std::int32_t first = -1;
      bool same = true;
      for (const std::int32_t m : members) {
        if (at(m, open[i]) != top[i].first) continue;
        if (first < 0) first = at(m, open[k]);
        same = same && first == at(m, open[k]);
      }
      if (same && first >= 0 && kind_(first) == Token::kWord) {
        const double share = counts.of(open[k], first) / size;
        chance *= std::pow(share, static_cast<double>(part_size - 1));
      }
    }
    if (chance < kByChance) return true;
  }
  return false;
}

bool Peeling::is_one(const Numbers& members, const Counts& counts, const std::vector<std::size_t>& open) const {
  std::vector<bool> is_open(sequences_[static_cast<std::size_t>(members[0])]->size(), false);
  for (const std::size_t p : open) is_open[p] = true;
  const Sequence& tokens = *sequences_[static_cast<std::size_t>(members[0])];
  Group group{tokens, is_open, 0};
  for (std::size_t p = 0; p < tokens.size(); ++p) group.constants += !is_open[p] && kind_(tokens[p]) == Token::kWord;
  if (!enough_(group)) return false;
  for (const std::size_t p : open) {
    bool variable_there = false, mark_there = false;
    Numbers tokens;
    for (const std::int32_t m : members) {
      tokens.push_back(at(m, p));
      const Token kind = kind_(tokens.back());
      variable_there |= kind == Token::kVariable;
      mark_there |= kind == Token::kMark;
    }
    if (mark_there || counts.different.at(p) < many_(group, p, variable_there, tokens, members)) return false;
  }
  return !is_mixture(members, counts, open);
}

void Peeling::resolve(Numbers members, std::vector<std::size_t> open) {
  Counts counts;
  for (const std::int32_t m : members) {
    for (const std::size_t p : open) counts.add(p, at(m, p));
  }
  // Most members first; the counts may have become smaller since.
  std::priority_queue<std::pair<std::int32_t, std::uint64_t>> next;
  for (const auto& [key, many] : counts.members) {
    if (many > 1 && kind_(static_cast<std::int32_t>(key)) != Token::kVariable) next.emplace(many, ~key);
  }
  std::size_t tested = SIZE_MAX;  // members; to test after each part would take their square
  while (members.size() > 1) {
    std::erase_if(open, [&](std::size_t p) { return counts.different.at(p) == 1; });
    if (open.empty()) return;
    if (members.size() <= tested / 4 * 3) {
      if (is_one(members, counts, open)) return found_(members, open);
      tested = members.size();
    }
    std::size_t place = 0;
    std::int32_t token = -1;
    while (!next.empty() && token < 0) {
      const auto [many, inverse] = next.top();
      next.pop();
      const std::uint64_t key = ~inverse;
      const auto p = static_cast<std::size_t>(key >> 32);
      const std::int32_t now = counts.of(p, static_cast<std::int32_t>(key));
      if (now < 2 || !std::binary_search(open.begin(), open.end(), p)) continue;
      if (now < many) {
        next.emplace(now, inverse);
      } else {
        place = p;
        token = static_cast<std::int32_t>(key);
      }
    }
    if (token < 0) {
      if (members.size() < tested && is_one(members, counts, open)) found_(members, open);
      return;
    }
    Numbers part, rest;
    for (const std::int32_t m : members) (at(m, place) == token ? part : rest).push_back(m);
    for (const std::int32_t m : part) {
      for (const std::size_t p : open) counts.remove(p, at(m, p));
    }
    members = std::move(rest);
    std::vector<std::size_t> inner;
    for (const std::size_t p : open) {
      if (p != place) inner.push_back(p);
    }
    resolve(std::move(part), std::move(inner));
  }
}

}  // namespace locard
