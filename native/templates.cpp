#include "templates.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <unordered_map>

#include "text.h"

namespace locard {

namespace {

constexpr std::size_t kMostSkeletons = 8192;
constexpr std::size_t kExample = 200;      // code points
constexpr char kVariable = '*';            // a token of its own; text cannot be mistaken for it
constexpr char kEnd = '\x1F';              // after each token
constexpr std::string_view kDelimiters = "=:,;()[]{}\"'<>|@!?";

// A place with so many different words is variable.
constexpr std::size_t kManyWords = 4;
constexpr std::size_t kManyAfterUser = 3;  // names come after it, seldom verbs
constexpr std::size_t kManyAfterKey = 2;   // key=word
constexpr std::size_t kManyFirstWords = 8;

// What a character is, so that one look at each tells what its word is.
enum : std::uint8_t { kBlank = 1, kDelimiter = 2, kDigit = 4, kSlash = 8, kHex = 16 };

constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> made{};
  for (std::size_t c = 0; c <= ' '; ++c) made[c] = kBlank;
  for (const char d : kDelimiters) made[static_cast<unsigned char>(d)] = kDelimiter;
  for (std::size_t c = '0'; c <= '9'; ++c) made[c] = kDigit | kHex;
  for (std::size_t c = 'a'; c <= 'f'; ++c) made[c] = made[c - 'a' + 'A'] = kHex;
  made['/'] = made['\\'] = kSlash;
  return made;
}();

std::uint8_t class_of(char c) { return kClasses[static_cast<unsigned char>(c)]; }
bool is_delimiter(char c) { return class_of(c) & kDelimiter; }
bool is_blank(char c) { return class_of(c) & kBlank; }

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_date(std::string_view word) {
  static constexpr std::array<std::string_view, 32> kWords{
      "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar", "Apr",
      "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "UTC", "GMT", "PST",
      "PDT", "EST", "EDT", "CST", "CDT", "CET", "CEST", "AM", "PM", "MST"};
  return word.size() <= 4 && word.size() >= 2 && word[0] >= 'A' && word[0] <= 'W' && is_one_of(word, kWords);
}

// A unit belongs to the number before it: 4 KB and 12 B are one thing.
bool is_unit(std::string_view word) {
  static constexpr std::array<std::string_view, 26> kWords{
      "B",  "KB",  "MB",  "GB",   "TB",      "kB",  "KiB",  "MiB",    "GiB",     "bytes", "ns",    "us",   "ms",
      "s", "sec", "secs", "second", "seconds", "min", "mins", "minute", "minutes", "h",   "hour", "hours", "%"};
  return word.size() <= 7 && is_one_of(word, kWords);
}

// A word and what its characters are: `seen` has the classes of any, `all` those of every one.
struct Word {
  std::string_view text;
  std::uint8_t seen, all;
  std::size_t slashes;

  // A number, an identifier, an address, a path.
  bool is_variable() const {
    return seen & kDigit || text[0] == '/' || slashes > 1 || (seen < kHex + kSlash && is_date(text));
  }
  bool is_hex() const { return all & kHex && text.size() <= 8; }
};

Word word_at(std::string_view message, std::size_t from) {
  Word word{{}, 0, 0xFF, 0};
  std::size_t i = from;
  for (; i < message.size(); ++i) {
    const std::uint8_t c = class_of(message[i]);
    if (c & (kBlank | kDelimiter)) break;
    word.seen |= c;
    word.all &= c;
    word.slashes += (c & kSlash) != 0;
  }
  word.text = message.substr(from, i - from);
  return word;
}

char opening(char closing) {
  switch (closing) {
    case ')': return '(';
    case ']': return '[';
    case '}': return '{';
    case '>': return '<';
    default: return 0;
  }
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
        const std::size_t end = text.find(kEnd);
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

// The token so many places from the end if it is a single character, else 0.
char Templates::last(std::size_t back) const {
  if (tokens_ < back) return 0;
  const std::size_t begin = begins_[tokens_ - back];
  const std::size_t end = back == 1 ? used_ : begins_[tokens_ - back + 1];
  return end - begin == 2 ? masked_[begin] : 0;
}

void Templates::drop(std::size_t tokens) {
  tokens_ -= tokens;
  used_ = begins_[tokens_];
}

void Templates::put(std::string_view token) {
  begins_[tokens_++] = used_;
  std::memcpy(masked_.data() + used_, token.data(), token.size());
  used_ += static_cast<std::uint32_t>(token.size());
  masked_[used_++] = kEnd;
}

// Lists of variables are one, however long.
void Templates::put_variable() {
  const char before = last(1);
  if (before == kVariable) return;
  if ((before == ',' || before == ':' || before == ';' || before == '|') && last(2) == kVariable) return drop(1);
  put("*");
}

// What stands in brackets after a variable belongs to it; empty brackets say nothing.
void Templates::put_delimiter(char c) {
  const char open = opening(c);
  if (open && last(1) == open) return drop(1);
  if (open && last(1) == kVariable && last(2) == open && last(3) == kVariable) return drop(2);
  put(std::string_view(&c, 1));
}

// The message, cut before, as its tokens with an end mark after each.
void Templates::mask(std::string_view message) {
  used_ = 0;
  tokens_ = 0;
  std::size_t i = 0;
  while (i < message.size() && tokens_ < kMostTokens) {
    if (is_blank(message[i])) {
      ++i;
      continue;
    }
    if (is_delimiter(message[i])) {
      put_delimiter(message[i++]);
      continue;
    }
    Word word = word_at(message, i);
    i += word.text.size();
    while (word.text.size() > 1 && word.text.back() == '.') {
      word.text.remove_suffix(1);
      word.all = kHex;  // of the rest: a look that few need
      for (const char c : word.text) word.all &= class_of(c);
    }
    const char only = word.text.size() == 1 ? word.text[0] : '\0';
    if (word.is_variable() || (word.is_hex() && last(1) == ':' && last(2) == kVariable)) {
      put_variable();
    } else if (only == '-' || only == '+' || only == '*' || (last(1) == kVariable && is_unit(word.text))) {
      continue;
    } else {
      put(word.text);
    }
  }
}

std::int32_t Templates::add(std::string_view message, std::int64_t count) {
  while (!message.empty() && is_blank(message.front())) message.remove_prefix(1);
  message = message.substr(0, message.find('\n'));
  if (message.size() > kLongest) {
    std::size_t end = kLongest;  // between two words, at least between two code points
    while (end > kLongest / 2 && !is_blank(message[end])) --end;
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;
    message = message.substr(0, end);
  }
  mask(message);
  const std::string_view masked(masked_.data(), used_);
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
