// Which words of some skeletons vary: messages that one line of a program wrote become one row.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dictionary.h"

namespace locard {

// Skeletons are taken apart first by what they share (a word at a place that many of them have), and what
// is left of such a group is one template where all its other places spread: by how many different words
// stand there, not by what they look like. Then rows that differ in one place are looked at once more.
class Merger {
 public:
  Merger(const Dictionary& skeletons, const std::vector<std::int64_t>& counts);

  struct Row {
    std::vector<std::int32_t> tokens;  // codes
    std::int64_t count;
    std::int32_t example;  // skeleton
  };

  const std::vector<Row>& rows() const { return rows_; }
  const std::vector<std::int32_t>& row_of() const { return row_of_; }  // by skeleton
  std::string text(const Row& row) const;
  bool is_variable(std::int32_t token) const { return token == variable_; }

 private:
  using Words = std::vector<std::int32_t>;
  struct Segments;

  struct Bucket {
    std::size_t place = 0;
    std::vector<std::int32_t> rows;
  };

  bool is_mark(std::int32_t code) const { return marks_[static_cast<std::size_t>(code)]; }
  bool cuts(std::int32_t code, bool lists) const { return is_mark(code) && !(lists && words_.text(code) == ","); }
  bool is_word(std::int32_t code) const { return code != variable_ && !is_mark(code); }
  Row& row(std::int32_t number) { return rows_[static_cast<std::size_t>(number)]; }
  // What stands around a place, and there.
  struct Around {
    const std::vector<std::int32_t>& tokens;
    std::size_t constants;  // words
    bool variable_there;
    const std::vector<std::int32_t>& found;  // tokens there
    std::int64_t lines;
  };
  std::size_t many(const Around& around, std::size_t place) const;
  std::size_t other_words(const std::vector<std::int32_t>& tokens, std::size_t place) const;
  std::int64_t lines_of(const std::vector<std::int32_t>& rows) const;
  bool are(bool (*looks)(std::string_view), const std::vector<std::int32_t>& tokens) const;

  void peel_words();
  void peel_segments(bool lists);
  bool open_segments(const Segments& cut, const Words& members, std::vector<std::size_t> places);
  std::size_t many_segments(std::size_t words, std::size_t place, bool variable_there, std::int64_t lines) const;
  bool merge_single_segments(bool lists);
  void cut_known_ends();
  bool merge_single_places();
  void absorb_strays();
  bool differs_in_value(const Words& tokens, const Words& pattern) const;
  std::vector<Bucket> buckets() const;
  void collapse();
  void unify();

  Dictionary words_;
  std::int32_t variable_;
  std::vector<bool> marks_;  // by code
  std::vector<Row> rows_;
  std::vector<std::int32_t> row_of_;
  std::set<Words> phrases_;  // of several words, that stand where values do
};

}  // namespace locard
