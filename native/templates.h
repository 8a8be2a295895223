// Message templates, mined while the messages stream by: "took <*> ms", how often, one example.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dictionary.h"
#include "known.h"
#include "skeleton.h"

namespace locard {

struct Template {
  std::string text;
  std::int64_t count = 0;
  std::string example;
};

// In the stream a message costs one walk over it: numbers, paths, dates and the like are masked and
// what is left (its skeleton) is counted. Which words of the skeletons vary is found when the
// templates are asked for (see Merger). One configuration for every system.
class Templates {
 public:
  explicit Templates(Masker masker = fastest_masker()) : masker_(masker) {}

  // The number of the message's skeleton, or -1 where there are too many of them.
  std::int32_t add(std::string_view message, std::int64_t count = 1);

  // One more message of a known skeleton; -1 is one of too many.
  void count(std::int32_t skeleton) { skeleton < 0 ? ++left_out_ : ++counts_[static_cast<std::size_t>(skeleton)]; }

  // The number here of a skeleton of another one, -1 where there are too many.
  std::int32_t meet(const Templates& other, std::size_t skeleton);

  // Takes the counts of another one over, which begins anew; `numbers` has the number here of each
  // skeleton there.
  void take(Templates& other, const std::vector<std::int32_t>& numbers);

  std::size_t size() const { return counts_.size(); }  // skeletons

  // The templates, the most frequent first. `group` receives the index for each skeleton.
  const std::vector<Template>& found(std::vector<std::int32_t>* group = nullptr) const;

  // Messages beyond the most skeletons that are kept apart.
  std::int64_t left_out() const { return left_out_; }

 private:
  // The number of a skeleton, or of one of its template: only where no more are kept.
  std::int32_t find(std::string_view skeleton);

  void merge() const;

  const Masker masker_;
  Skeleton skeleton_;  // of the message at hand
  Dictionary skeletons_;
  std::vector<std::int64_t> counts_;
  std::vector<std::string> examples_;
  std::int64_t left_out_ = 0;
  std::unique_ptr<const Known> known_;  // once there are too many
  // What was found, and of which counts: it is asked for more than once.
  mutable std::vector<std::int64_t> found_of_;
  mutable std::vector<Template> found_;
  mutable std::vector<std::int32_t> group_;
};

}  // namespace locard
