// Values of several words: what stands between marks is looked at as a whole.
#include <algorithm>
#include <map>
#include <utility>
#include <unordered_map>

#include "merger.h"
#include "peeling.h"

namespace locard {

namespace {

constexpr std::size_t kFewestWords = 2;     // that stay, around values of several words
constexpr std::size_t kWordsBeforeEnd = 3;  // to know an end by what stands before it
constexpr std::int64_t kFewLines = 20;

}  // namespace

// The rows cut at their marks.
struct Merger::Segments {
  Segments(const Merger& merger, bool commas) : lists(commas) {
    for (std::size_t r = 0; r < merger.rows_.size(); ++r) {
      Words marks, segment;
      sequences.emplace_back();
      for (const std::int32_t token : merger.rows_[r].tokens) {
        if (!merger.cuts(token, lists)) {
          segment.push_back(token);
          continue;
        }
        sequences.back().push_back(code(segment));
        segment.clear();
        marks.push_back(token);
      }
      sequences.back().push_back(code(segment));
      by_marks[marks].push_back(static_cast<std::int32_t>(r));
    }
    for (const Words* text : texts) {
      words.push_back(static_cast<std::size_t>(std::count_if(text->begin(), text->end(), [&](auto token) { return merger.is_word(token); })));
      variable.push_back((text->size() == 1 && (*text)[0] == merger.variable_) || merger.phrases_.contains(*text));
    }
  }

  std::int32_t code(const Words& segment) {
    const auto [at, added] = codes.try_emplace(segment, static_cast<std::int32_t>(texts.size()));
    if (added) texts.push_back(&at->first);
    return at->second;
  }
  const Words& text(std::int32_t code) const { return *texts[static_cast<std::size_t>(code)]; }
  const Peeling::Sequence& of(std::int32_t row) const { return sequences[static_cast<std::size_t>(row)]; }
  bool is_variable(std::int32_t code) const { return variable[static_cast<std::size_t>(code)]; }
  std::size_t words_in(std::int32_t code) const { return words[static_cast<std::size_t>(code)]; }

  bool lists;                                // those with commas are one segment
  std::vector<Peeling::Sequence> sequences;  // by row
  std::map<Words, Words> by_marks;           // rows
  std::map<Words, std::int32_t> codes;
  std::vector<const Words*> texts;
  std::vector<std::size_t> words;
  std::vector<bool> variable;  // or known to be a value elsewhere
};

// How many different segments make the place a variable one.
std::size_t Merger::many_segments(std::size_t words, std::size_t place, bool variable_there, std::int64_t lines) const {
  if (variable_there && words >= kFewestWords) return 2;
  if (place == 0) return 6;
  if (words >= 6 || (words >= 4 && lines <= kFewLines)) return 2;
  return words >= 4 ? 3 : 4;
}

void Merger::peel_segments(bool lists) {
  const Segments cut(*this, lists);
  std::vector<const Peeling::Sequence*> sequences;
  for (const auto& one : cut.sequences) sequences.push_back(&one);
  const auto words_in = [&](const Peeling::Group& group) {
    std::size_t words = 0;
    for (std::size_t i = 0; i < group.tokens.size(); ++i) words += group.is_open[i] ? 0 : cut.words_in(group.tokens[i]);
    return words;
  };
  std::vector<std::pair<Words, std::vector<std::size_t>>> found;
  Peeling peeling(
      sequences, [&](std::int32_t code) { return cut.is_variable(code) ? Peeling::Token::kVariable : Peeling::Token::kWord; },
      [&](const Peeling::Group& group, std::size_t place, bool variable_there, const Words&, const Words& members) {
        return many_segments(words_in(group), place, variable_there, lines_of(members));
      },
      [&](const Peeling::Group& group) { return words_in(group) >= kFewestWords; },
      [&](const auto& members, const auto& open) { found.emplace_back(members, open); });
  for (const auto& [marks, members] : cut.by_marks) peeling.run(members);
  for (const auto& [members, open] : found) open_segments(cut, members, open);
  collapse();
  unify();
}

// Makes those of the places variable where the segments have different numbers of words.
bool Merger::open_segments(const Segments& cut, const Words& members, std::vector<std::size_t> places) {
  std::erase_if(places, [&](std::size_t place) {
    std::size_t low = SIZE_MAX, high = 0;
    bool variable_there = false;
    for (const std::int32_t r : members) {
      const Words& one = cut.text(cut.of(r)[place]);
      low = std::min(low, one.size());
      high = std::max(high, one.size());
      variable_there |= one.size() == 1 && one[0] == variable_;
    }
    return low == high && !variable_there;
  });
  if (places.empty()) return false;
  for (const std::int32_t r : members) {
    Words made;
    std::size_t place = 0;
    const auto begin = [&] {
      const bool open = std::binary_search(places.begin(), places.end(), place);
      if (open) {
        const Words& text = cut.text(cut.of(r)[place]);
        if (cut.words_in(cut.of(r)[place]) > 1) phrases_.insert(text);
        made.push_back(variable_);
      }
      return open;
    };
    bool open = begin();
    for (const std::int32_t token : row(r).tokens) {
      if (cuts(token, cut.lists)) {
        made.push_back(token);
        ++place;
        open = begin();
      } else if (!open) {
        made.push_back(token);
      }
    }
    row(r).tokens = std::move(made);
  }
  return true;
}

// Rows that differ in one segment only.
bool Merger::merge_single_segments(bool lists) {
  const Segments cut(*this, lists);
  bool changed = false;
  for (const auto& [marks, members] : cut.by_marks) {
    std::map<std::pair<std::size_t, Words>, Words> by_rest;
    for (const std::int32_t r : members) {
      Words rest = cut.of(r);
      for (std::size_t i = 0; i < rest.size(); ++i) {
        const std::int32_t here = std::exchange(rest[i], -1);
        if (!cut.text(here).empty()) by_rest[{i, rest}].push_back(r);
        rest[i] = here;
      }
    }
    std::set<std::int32_t> used;
    for (const auto& [key, rows] : by_rest) {
      if (rows.size() < 2 || std::any_of(rows.begin(), rows.end(), [&](auto r) { return used.contains(r); })) continue;
      std::size_t words = 0;
      for (const std::int32_t code : key.second) words += code < 0 ? 0 : cut.words_in(code);
      const bool variable_there = std::any_of(rows.begin(), rows.end(), [&](auto r) { return cut.is_variable(cut.of(r)[key.first]); });
      if (words < kFewestWords || rows.size() < many_segments(words, key.first, variable_there, lines_of(rows))) continue;
      if (!open_segments(cut, rows, {key.first})) continue;
      used.insert(rows.begin(), rows.end());
      changed = true;
    }
  }
  return changed;
}

// A row that ends in what stands elsewhere as a value, or whose beginning is known before any value.
void Merger::cut_known_ends() {
  std::set<Words> beginnings;
  const auto words_of = [&](const Words& tokens) { return static_cast<std::size_t>(std::count_if(tokens.begin(), tokens.end(), [&](auto t) { return is_word(t); })); };
  for (const Row& row : rows_) {
    if (row.tokens.size() > 2 && row.tokens.back() == variable_ && is_mark(row.tokens[row.tokens.size() - 2])) {
      const Words beginning(row.tokens.begin(), row.tokens.end() - 1);
      if (words_of(beginning) >= kWordsBeforeEnd) beginnings.insert(beginning);
    }
  }
  for (Row& row : rows_) {
    Words& tokens = row.tokens;
    for (std::size_t i = 1; i + 2 <= tokens.size(); ++i) {
      const Words head(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(i));
      const bool plain = std::none_of(tokens.begin() + static_cast<std::ptrdiff_t>(i), tokens.end(), [&](auto t) { return cuts(t, true); });
      const bool known = (plain && beginnings.contains(head)) || (words_of(head) >= kFewestWords && phrases_.contains(Words(tokens.begin() + static_cast<std::ptrdiff_t>(i), tokens.end())));
      if (!known) continue;
      tokens.resize(i);
      tokens.push_back(variable_);
      break;
    }
  }
  collapse();
  unify();
}

}  // namespace locard
