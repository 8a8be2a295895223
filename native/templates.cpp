#include "templates.h"

#include <algorithm>

#include "text.h"
#include "words.h"

namespace locard {

namespace {

constexpr std::size_t kMostSkeletons = 8192;
constexpr std::size_t kMostNumbered = 2048;  // before names with numbers are masked too
constexpr std::size_t kExample = 200;      // code points

// The first line of a message that is too long for a skeleton: up to a blank, at least up to the end of a
// code point.
std::string_view beginning(std::string_view message) {
  message = message.substr(0, message.find('\n'));
  if (message.size() <= Skeleton::kLongest) return message;
  std::size_t end = Skeleton::kLongest;
  while (end > Skeleton::kLongest / 2 && !is_blank(message[end])) --end;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;
  return message.substr(0, end);
}

}  // namespace

std::int32_t Templates::add(std::string_view message, std::int64_t count) {
  while (!message.empty() && is_blank(message.front())) message.remove_prefix(1);
  if (message.size() > Skeleton::kLongest) message = beginning(message);
  const std::size_t before = skeletons_.size();
  message = message.substr(0, masker_(message, skeleton_, true));
  if (before >= kMostNumbered && skeletons_.find(skeleton_.text()) < 0) masker_(message, skeleton_, false);
  const std::string_view masked = skeleton_.text();
  if (before >= kMostSkeletons) {
    // Known ones are still counted, so that the frequent ones stay right, and so is what a template fits.
    const std::int32_t known = find(masked);
    if (known < 0) {
      left_out_ += count;
    } else {
      counts_[static_cast<std::size_t>(known)] += count;
    }
    return known;
  }
  const std::int32_t code = skeletons_.code(masked);
  if (skeletons_.size() > before) {
    counts_.push_back(0);
    examples_.emplace_back(first_code_points(message, kExample));
  }
  counts_[static_cast<std::size_t>(code)] += count;
  return code;
}

std::int32_t Templates::find(std::string_view skeleton) {
  const std::int32_t known = skeletons_.find(skeleton);
  if (known >= 0) return known;
  if (!known_) known_ = std::make_unique<Known>(skeletons_, Merger(skeletons_, counts_));
  return known_->find(skeleton);
}

std::int32_t Templates::meet(const Templates& other, std::size_t skeleton) {
  const std::string_view text = other.skeletons_.text(static_cast<std::int32_t>(skeleton));
  const bool full = skeletons_.size() >= kMostSkeletons;
  const std::int32_t number = full ? find(text) : skeletons_.code(text);
  if (number == static_cast<std::int32_t>(counts_.size())) {
    counts_.push_back(0);
    examples_.push_back(other.examples_[skeleton]);
  }
  return number;
}

void Templates::take(Templates& other, const std::vector<std::int32_t>& numbers) {
  for (std::size_t i = 0; i < other.counts_.size(); ++i) {
    (numbers[i] < 0 ? left_out_ : counts_[static_cast<std::size_t>(numbers[i])]) += other.counts_[i];
    other.counts_[i] = 0;
  }
  left_out_ += other.left_out_;
  other.left_out_ = 0;
}

const std::vector<Template>& Templates::found(std::vector<std::int32_t>* group) const {
  if (found_of_ != counts_) {
    merge();
    found_of_ = counts_;
  }
  if (group) *group = group_;
  return found_;
}

void Templates::merge() const {
  const Merger merger(skeletons_, counts_);
  const auto& rows = merger.rows();
  std::vector<std::int32_t> order(rows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
  const auto row = [&](std::int32_t r) -> const Merger::Row& { return rows[static_cast<std::size_t>(r)]; };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return row(a).count > row(b).count; });
  std::vector<std::int32_t> rank(rows.size());
  found_.clear();
  for (const std::int32_t r : order) {
    rank[static_cast<std::size_t>(r)] = static_cast<std::int32_t>(found_.size());
    found_.push_back({merger.text(row(r)), row(r).count, examples_[static_cast<std::size_t>(row(r).example)]});
  }
  group_.clear();
  for (const std::int32_t r : merger.row_of()) group_.push_back(rank[static_cast<std::size_t>(r)]);
}

}  // namespace locard
