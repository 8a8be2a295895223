#include "merger.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "peeling.h"
#include "skeleton.h"
#include "words.h"

namespace locard {

namespace {

constexpr std::size_t kNever = SIZE_MAX;
constexpr std::size_t kRounds = 2;                            // what varies in one place may show what does in another
constexpr std::size_t kFewConstants = 3, kManyConstants = 6;  // words that stay, around a place
constexpr std::size_t kMostRun = 2;                           // places side by side that vary, but between marks
constexpr std::int64_t kManyLines = 100, kLinesOfStray = 50;  // of a group, and for one line that differs
constexpr std::size_t kMostPatterns = 32, kMostInValue = 12;  // tokens
constexpr std::size_t kMostStates = 10;
constexpr std::int64_t kFewLines = 8;                         // where two words in two lines are many

std::uint64_t mixed(std::uint64_t token, std::uint64_t place) {
  std::uint64_t h = (token + 1) * 0x9E3779B97F4A7C15ULL ^ (place + 1) * 0xD6E8FEB86659FD93ULL;
  h ^= h >> 32;
  h *= 0xFF51AFD7ED558CCDULL;
  return h ^ (h >> 29);
}

// A name that something was given, a file, a host or a function: with a mark within, or a capital behind a small letter.
bool looks_named(std::string_view word) {
  bool small = false, marked = false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool capital = word[i] >= 'A' && word[i] <= 'Z', lower = word[i] >= 'a' && word[i] <= 'z';
    marked |= i && (word[i] == '_' || word[i] == '.' || class_of(word[i]) & kSlash || (capital && small));
    small |= lower;
  }
  return marked && small;
}

// What is done, which tells messages apart: an HTTP method, or a form of a verb.
bool is_action(std::string_view word) {
  static constexpr std::array<std::string_view, 9> kMethods{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE"};
  if (std::find(kMethods.begin(), kMethods.end(), word) != kMethods.end()) return true;
  const bool letters = std::all_of(word.begin(), word.end(), [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; });
  return letters && word.size() > 4 && (word.ends_with("ed") || word.ends_with("ing"));
}

// A state or an event by its name: RUNNING, JOB_SETUP.
bool is_state(std::string_view word) {
  return word.size() > 2 && std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
}

bool is_numbered(std::string_view word) { return class_of(word.back()) & kDigit; }

}  // namespace

Merger::Merger(const Dictionary& skeletons, const std::vector<std::int64_t>& counts) : variable_(words_.code("*")) {
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
  for (std::size_t code = 0; code < words_.size(); ++code) {
    const std::string_view token = words_.text(static_cast<std::int32_t>(code));
    marks_.push_back(token.size() == 1 && token[0] != Skeleton::kVariable && is_delimiter(token[0]));
  }
  collapse();
  unify();
  for (std::size_t i = 0; i < kRounds; ++i) {
    peel_words();
    peel_segments(i > 0);
    while (merge_single_segments(i > 0)) unify();
    cut_known_ends();
  }
  while (merge_single_places()) unify();
  absorb_strays();
}

std::string Merger::text(const Row& row) const {
  std::string out;
  bool tight = true, quoted = false;  // no space before what comes next; between double quotes
  for (const std::int32_t code : row.tokens) {
    const std::string_view token = words_.text(code);
    const char mark = is_mark(code) ? token[0] : ' ';
    const auto is_one_of = [mark](std::string_view marks) { return marks.find(mark) != std::string_view::npos; };
    const bool joined = mark == '"' ? quoted : is_one_of(",:;)]}=!?'");
    if (!tight && !joined) out.push_back(' ');
    out.append(code == variable_ ? "<*>" : token);
    if (mark == '"') quoted = !quoted;
    tight = mark == '"' ? quoted : is_one_of("([{<=@'");
  }
  return out;
}

void Merger::peel_words() {
  std::map<std::size_t, Words> by_size;
  std::vector<const Peeling::Sequence*> sequences;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    sequences.push_back(&rows_[r].tokens);
    by_size[rows_[r].tokens.size()].push_back(static_cast<std::int32_t>(r));
  }
  std::vector<std::pair<Words, std::vector<std::size_t>>> found;
  Peeling peeling(
      sequences,
      [this](std::int32_t code) {
        return code == variable_ ? Peeling::Token::kVariable : is_mark(code) ? Peeling::Token::kMark : Peeling::Token::kWord;
      },
      [this](const Peeling::Group& group, std::size_t place, bool variable_there, const Words& tokens, const Words& members) {
        return many({group.tokens, group.constants, variable_there, tokens, lines_of(members)}, place);
      },
      [this](const Peeling::Group& group) {
        if (group.constants < 2) return false;
        std::size_t open = 0;
        const std::size_t size = group.tokens.size();
        for (std::size_t i = 0; i < size;) {
          std::size_t end = i;
          while (end < size && group.is_open[end]) ++end;
          if (end > i) {
            const bool whole = i && is_mark(group.tokens[i - 1]) && (end == size || is_mark(group.tokens[end]));
            if (end - i > kMostRun && !(whole && group.constants >= kFewConstants)) return false;
            open += whole ? 1 : end - i;
          }
          i = end + 1;
        }
        return group.constants + 1 >= open;
      },
      [&](const auto& members, const auto& open) { found.emplace_back(members, open); });
  for (const auto& [size, members] : by_size) peeling.run(members);
  for (const auto& [members, open] : found) {
    for (const std::int32_t r : members) {
      for (const std::size_t place : open) row(r).tokens[place] = variable_;
    }
  }
  collapse();
  unify();
}

// As the masks do it: variables side by side, lists of them and what stands in brackets behind one are one.
void Merger::collapse() {
  Words out;
  const auto mark = [&](std::size_t back) { return out.size() >= back && is_mark(out[out.size() - back]) ? words_.text(out[out.size() - back])[0] : ' '; };
  const auto varies = [&](std::size_t back) { return out.size() >= back && out[out.size() - back] == variable_; };
  for (Row& row : rows_) {
    out.clear();
    const std::size_t size = row.tokens.size();
    for (std::size_t i = 0; i < size; ++i) {
      const std::int32_t token = row.tokens[i];
      if (token == variable_) {
        if (varies(1)) continue;
        // Less, or more, than a number.
        if ((mark(1) == '<' || mark(1) == '>') && !varies(2) && (i + 1 == size || !is_mark(row.tokens[i + 1]))) out.pop_back();
        if (std::string_view(",:;|").find(mark(1)) != std::string_view::npos && varies(2)) {
          out.pop_back();
          continue;
        }
      } else if (is_mark(token)) {
        const std::size_t open = std::string_view(")]}>").find(words_.text(token)[0]);
        if (open != std::string_view::npos && varies(1) && mark(2) == "([{<"[open] && varies(3)) {
          out.resize(out.size() - 2);
          continue;
        }
      }
      out.push_back(token);
    }
    row.tokens = out;
  }
}

// How many different words make the place a variable one.
std::size_t Merger::many(const Around& around, std::size_t place) const {
  const auto& tokens = around.tokens;
  const auto mark = [&](std::size_t i) { return i < tokens.size() && is_mark(tokens[i]) ? words_.text(tokens[i])[0] : ' '; };
  const char before = place ? mark(place - 1) : ' ', behind = mark(place + 1);
  if (behind == '=') return kNever;  // a key
  if (!around.variable_there && are(is_action, around.found)) return kNever;
  if (!around.variable_there && around.found.size() <= kMostStates && are(is_state, around.found)) return kNever;
  const bool many_words = around.constants >= kManyConstants, some = around.constants >= kFewConstants;
  std::size_t out = place == 0 ? (behind == ' ' ? 6 : 4) : some ? 3 : 5;
  if (around.variable_there || before == '=' || before == '\'' || before == '"') return 2;
  if (place && are(looks_named, around.found)) out = std::min<std::size_t>(out, some ? 3 : 4);
  if (around.lines <= kFewLines) out = std::min<std::size_t>(out, many_words ? 2 : some ? 3 : 4);
  return are(is_numbered, around.found) || before != ' ' ? std::min<std::size_t>(out, 3) : out;
}

std::size_t Merger::other_words(const std::vector<std::int32_t>& tokens, std::size_t place) const {
  std::size_t words = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) words += i != place && is_word(tokens[i]);
  return words;
}

// Whether all tokens look so.
bool Merger::are(bool (*looks)(std::string_view), const std::vector<std::int32_t>& tokens) const {
  return std::all_of(tokens.begin(), tokens.end(), [&](std::int32_t code) { return code == variable_ || looks(words_.text(code)); });
}

std::int64_t Merger::lines_of(const std::vector<std::int32_t>& rows) const {
  std::int64_t lines = 0;
  for (const std::int32_t r : rows) lines += rows_[static_cast<std::size_t>(r)].count;
  return lines;
}

std::vector<Merger::Bucket> Merger::buckets() const {
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
bool Merger::merge_single_places() {
  std::vector<bool> used(rows_.size(), false);
  bool changed = false;
  for (const Bucket& bucket : buckets()) {
    const auto& tokens = row(bucket.rows[0]).tokens;
    const std::size_t place = bucket.place;
    bool taken = false, variable_there = false;
    std::vector<std::int32_t> found;
    for (const std::int32_t r : bucket.rows) {
      taken |= used[static_cast<std::size_t>(r)];
      variable_there |= row(r).tokens[place] == variable_;
      found.push_back(row(r).tokens[place]);
    }
    const std::size_t constants = other_words(tokens, place);
    if (taken || !constants || bucket.rows.size() < many({tokens, constants, variable_there, found, lines_of(bucket.rows)}, place)) continue;
    for (const std::int32_t r : bucket.rows) {
      used[static_cast<std::size_t>(r)] = true;
      row(r).tokens[place] = variable_;
    }
    changed = true;
  }
  return changed;
}

// A few lines whose words are those of many, with more than one token where these have a variable.
void Merger::absorb_strays() {
  std::vector<std::int32_t> order;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    if (rows_[r].count >= kManyLines) order.push_back(static_cast<std::int32_t>(r));
  }
  std::stable_sort(order.begin(), order.end(), [this](auto a, auto b) { return row(a).count > row(b).count; });
  if (order.size() > kMostPatterns) order.resize(kMostPatterns);
  for (const std::int32_t big : order) {
    const Words pattern = row(big).tokens;
    for (Row& one : rows_) {
      if (one.count * kLinesOfStray <= row(big).count && differs_in_value(one.tokens, pattern)) one.tokens = pattern;
    }
  }
  unify();
}

// Whether tokens are those of a pattern, but for one variable of it in whose place they have up to a few.
bool Merger::differs_in_value(const Words& tokens, const Words& pattern) const {
  if (tokens.size() + 1 < pattern.size() || tokens.size() > pattern.size() + kMostInValue) return false;
  auto begin = static_cast<std::size_t>(std::mismatch(tokens.begin(), tokens.end(), pattern.begin(), pattern.end()).first - tokens.begin());
  if (begin && (begin == pattern.size() || pattern[begin] != variable_)) --begin;  // more behind a variable
  if (begin == pattern.size() || pattern[begin] != variable_) return false;
  const std::size_t rest = pattern.size() - begin - 1;
  if (tokens.size() < begin + rest || !std::equal(pattern.end() - static_cast<std::ptrdiff_t>(rest), pattern.end(), tokens.end() - static_cast<std::ptrdiff_t>(rest))) return false;
  return other_words(pattern, begin) >= kFewConstants;
}

// Rows that became equal are one.
void Merger::unify() {
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

}  // namespace locard
