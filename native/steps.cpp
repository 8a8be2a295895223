#include "steps.h"

#include <algorithm>
#include <cstring>

namespace locard {

std::uint32_t Steps::add_object() {
  from.emplace_back();
  return static_cast<std::uint32_t>(from.size() - 1);
}

std::uint32_t Steps::add_key() {
  seen.push_back(0);
  return static_cast<std::uint32_t>(seen.size() - 1);
}

std::uint32_t Steps::find_or_add(std::uint32_t object, std::string_view literal, std::uint32_t to,
                                 const std::vector<std::uint32_t>& with_keys, bool is_opaque, bool is_wanted) {
  for (const std::uint32_t known : from[object]) {
    const Step& step = all[known];
    if (std::string_view(text).substr(step.at, step.size) == literal) return known;
  }
  if (all.size() >= kMost || from[object].size() >= kMostFrom) return Step::kEnd;
  Step step{};
  step.at = static_cast<std::uint32_t>(text.size() - kPadded);
  step.size = static_cast<std::uint32_t>(literal.size());
  for (std::size_t i = Step::kHeadAt; i < std::min(literal.size(), Step::kHeadAt + sizeof step.head); ++i) {
    std::memcpy(reinterpret_cast<char*>(&step.head) + i - Step::kHeadAt, &literal[i], 1);
    reinterpret_cast<char*>(&step.mask)[i - Step::kHeadAt] = '\xFF';
  }
  step.to = to;
  step.keys_at = static_cast<std::uint32_t>(keys.size());
  step.keys = static_cast<std::uint32_t>(with_keys.size());
  step.is_opaque = is_opaque;
  step.is_wanted = is_wanted;
  keys.insert(keys.end(), with_keys.begin(), with_keys.end());
  text.insert(text.size() - kPadded, literal);
  step.next = static_cast<std::uint32_t>(all.size());
  all.push_back(step);
  from[object].push_back(step.next);
  return step.next;
}

}  // namespace locard
