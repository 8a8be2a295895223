#include "templates.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "text.h"
#include "words.h"

namespace locard {

namespace {

constexpr std::size_t kMostSkeletons = 8192;
constexpr std::size_t kExample = 200;      // code points

// A place with so many different words is variable.
constexpr std::size_t kManyWords = 4;
constexpr std::size_t kManyAfterUser = 3;  // names come after it, seldom verbs
constexpr std::size_t kManyAfterKey = 2;   // key=word
constexpr std::size_t kManyFirstWords = 8;

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

// What the merging works on: tokens are codes in a dictionary.
struct Row {
  std::vector<std::int32_t> tokens;
  std::int64_t count;
  std::int32_t example;  // skeleton
};

std::uint64_t mixed(std::uint64_t token, std::uint64_t place) {
  std::uint64_t h = (token + 1) * 0x9E3779B97F4A7C15ULL ^ (place + 1) * 0xD6E8FEB86659FD93ULL;
  h ^= h >> 32;
  h *= 0xFF51AFD7ED558CCDULL;
  return h ^ (h >> 29);
}

class Merger {
 public:
  Merger(const Dictionary& skeletons, const std::vector<std::int64_t>& counts) : variable_(words_.code("*")) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const auto number = static_cast<std::int32_t>(i);
      Row row{{}, counts[i], number};
      std::string_view text = skeletons.text(number);
      while (!text.empty()) {
        const std::size_t end = text.find(Skeleton::kEnd);
        row.tokens.push_back(words_.code(text.substr(0, end)));
        text.remove_prefix(end + 1);
      }
      rows_.push_back(std::move(row));
      row_of_.push_back(number);
    }
    unify();
    while (pass()) unify();
  }

  const std::vector<Row>& rows() const { return rows_; }
  const std::vector<std::int32_t>& row_of() const { return row_of_; }

  std::string text(const Row& row) const {
    std::string out;
    bool tight = true;  // no space before what comes next
    for (const std::int32_t code : row.tokens) {
      const std::string_view token = words_.text(code);
      const bool mark = token.size() == 1 && is_delimiter(token[0]);
      if (!tight && !(mark && std::string_view(",:;)]}=!?'\"").find(token[0]) != std::string_view::npos)) out.push_back(' ');
      out.append(code == variable_ ? "<*>" : token);
      tight = mark && std::string_view("([{<=@'\"").find(token[0]) != std::string_view::npos;
    }
    return out;
  }

 private:
  struct Bucket {
    std::size_t place = 0;
    std::vector<std::int32_t> rows;
  };

  bool is_mark(std::int32_t code) const {
    const std::string_view token = words_.text(code);
    return token.size() == 1 && code != variable_ && is_delimiter(token[0]);
  }

  // How many different words make the place a variable one.
  std::size_t many(const std::vector<std::int32_t>& tokens, std::size_t place, bool variable_there) const {
    const auto at = [&](std::size_t i) { return words_.text(tokens[i]); };
    if (place + 1 < tokens.size() && at(place + 1) == "=") return kMostSkeletons + 1;  // a key
    if (place == 0) return kManyFirstWords;
    if (variable_there || at(place - 1) == "=") return kManyAfterKey;
    return at(place - 1) == "user" ? kManyAfterUser : kManyWords;
  }

  bool has_other_word(const std::vector<std::int32_t>& tokens, std::size_t place) const {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i != place && tokens[i] != variable_ && !is_mark(tokens[i])) return true;
    }
    return false;
  }

  std::vector<Bucket> buckets() const {
    std::unordered_map<std::uint64_t, Bucket> by_rest;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      const auto& tokens = rows_[r].tokens;
      std::uint64_t whole = tokens.size();
      for (std::size_t i = 0; i < tokens.size(); ++i) whole += mixed(static_cast<std::uint64_t>(tokens[i]), i);
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (is_mark(tokens[i])) continue;
        const std::uint64_t rest = whole - mixed(static_cast<std::uint64_t>(tokens[i]), i) + mixed(~0ULL - 1, i);
        Bucket& bucket = by_rest[rest];
        bucket.place = i;
        bucket.rows.push_back(static_cast<std::int32_t>(r));
      }
    }
    std::vector<Bucket> found;
    for (auto& [rest, bucket] : by_rest) {
      if (bucket.rows.size() > 1) found.push_back(std::move(bucket));
    }
    std::sort(found.begin(), found.end(), [](const Bucket& a, const Bucket& b) {
      if (a.rows.size() != b.rows.size()) return a.rows.size() > b.rows.size();
      return std::pair(a.rows[0], a.place) < std::pair(b.rows[0], b.place);
    });
    return found;
  }

  // Makes the clearest variable places variable; false if there is none.
  bool pass() {
    std::vector<bool> used(rows_.size(), false);
    bool changed = false;
    for (const Bucket& bucket : buckets()) {
      const auto row = [&](std::int32_t r) -> Row& { return rows_[static_cast<std::size_t>(r)]; };
      const auto& tokens = row(bucket.rows[0]).tokens;
      const std::size_t place = bucket.place;
      bool taken = false, variable_there = false;
      for (const std::int32_t r : bucket.rows) {
        taken |= used[static_cast<std::size_t>(r)];
        variable_there |= row(r).tokens[place] == variable_;
      }
      if (taken || bucket.rows.size() < many(tokens, place, variable_there) || !has_other_word(tokens, place)) continue;
      for (const std::int32_t r : bucket.rows) {
        used[static_cast<std::size_t>(r)] = true;
        row(r).tokens[place] = variable_;
      }
      changed = true;
    }
    return changed;
  }

  // Rows that became equal are one.
  void unify() {
    std::map<std::vector<std::int32_t>, std::int32_t> first;
    std::vector<Row> kept;
    std::vector<std::int32_t> now(rows_.size());
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      const auto [at, added] = first.try_emplace(rows_[r].tokens, static_cast<std::int32_t>(kept.size()));
      now[r] = at->second;
      if (added) {
        kept.push_back(std::move(rows_[r]));
      } else {
        kept[static_cast<std::size_t>(at->second)].count += rows_[r].count;
      }
    }
    rows_ = std::move(kept);
    for (std::int32_t& r : row_of_) r = now[static_cast<std::size_t>(r)];
  }

  Dictionary words_;
  std::int32_t variable_;
  std::vector<Row> rows_;
  std::vector<std::int32_t> row_of_;  // by skeleton
};

}  // namespace

std::int32_t Templates::add(std::string_view message, std::int64_t count) {
  while (!message.empty() && is_blank(message.front())) message.remove_prefix(1);
  if (message.size() > Skeleton::kLongest) message = beginning(message);
  message = message.substr(0, masker_(message, skeleton_));
  const std::string_view masked = skeleton_.text();
  const std::size_t before = skeletons_.size();
  if (before >= kMostSkeletons) {
    // Known ones are still counted, so that the frequent ones stay right.
    const std::int32_t known = skeletons_.find(masked);
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

std::int32_t Templates::meet(const Templates& other, std::size_t skeleton) {
  const std::string_view text = other.skeletons_.text(static_cast<std::int32_t>(skeleton));
  const bool full = skeletons_.size() >= kMostSkeletons;
  const std::int32_t number = full ? skeletons_.find(text) : skeletons_.code(text);
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

std::vector<Template> Templates::found(std::vector<std::int32_t>* group) const {
  const Merger merger(skeletons_, counts_);
  const auto& rows = merger.rows();
  std::vector<std::int32_t> order(rows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
  const auto row = [&](std::int32_t r) -> const Row& { return rows[static_cast<std::size_t>(r)]; };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return row(a).count > row(b).count; });
  std::vector<Template> out;
  std::vector<std::int32_t> rank(rows.size());
  for (const std::int32_t r : order) {
    rank[static_cast<std::size_t>(r)] = static_cast<std::int32_t>(out.size());
    out.push_back({merger.text(row(r)), row(r).count, examples_[static_cast<std::size_t>(row(r).example)]});
  }
  if (group) {
    group->clear();
    for (const std::int32_t r : merger.row_of()) group->push_back(rank[static_cast<std::size_t>(r)]);
  }
  return out;
}

}  // namespace locard
