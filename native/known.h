// Finds the template of a new skeleton once no more of them are kept.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "merger.h"

namespace locard {

// Of the templates that stand for many skeletons, those whose places do not move: a skeleton that has all
// their words, and anything else elsewhere, is one of theirs.
class Known {
 public:
  Known(const Dictionary& skeletons, const Merger& merger);

  // One skeleton of that template, -1 where there is none.
  std::int32_t find(std::string_view skeleton) const;

 private:
  struct Places {
    std::size_t size;        // tokens
    std::vector<bool> open;  // which of them vary
  };

  std::vector<Places> places_;
  std::unordered_map<std::uint64_t, std::int32_t> skeletons_;  // by the words that stay
};

}  // namespace locard
