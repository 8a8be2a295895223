// One field while it is read: its values in the form that suits them, changed on the way if need be.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dictionary.h"
#include "forms.h"

namespace locard {

// What the values of one field were, so far, in one form. Texts go both ways without a loss.
struct Form {
  Kind kind = Kind::kCodes;
  TimeForm time;        // of kTimes
  bool large = false;   // kIntegers: some that kDoubles would not give back
  bool bare = false;    // kDoubles: whole numbers without a point
  bool point = false;   // kDoubles: whole numbers with one
  bool dashed = false;  // kIds
  bool plain = false;   // kIds: some without dashes

  // The form that holds the values of both; kTexts where nothing else does. `kCodes` on one side
  // says nothing about the other: whoever has the dictionary decides (`takes`).
  Form joined(const Form& other) const;
  // Whether a text is a value of this form; learns how it is written.
  bool takes(std::string_view text);
};

// Values by row; a row that nothing was set for has none. One field of one thread.
class Column {
 public:
  static constexpr std::size_t kFew = 1024;      // different texts, among which equal ones are found at once
  static constexpr std::size_t kMost = 1 << 15;  // codes
  static constexpr std::size_t kMostBytes = 64 << 20;  // of texts that have codes

  explicit Column(std::size_t few = kFew) : few_(few) {}

  // A JSON number that is an integer of 64 bits; `text` is its token.
  void set_integer(std::size_t row, std::int64_t value, std::string_view text);
  // Another JSON number, and its token.
  void set_decimal(std::size_t row, double value, std::string_view token);
  void set_text(std::size_t row, std::string_view text);

  bool has(std::size_t row) const;
  std::size_t count() const;  // of the rows that have a value
  const Form& form() const { return form_; }
  const Dictionary& dictionary() const { return dictionary_; }
  std::string_view text_of_code(std::int32_t code) const { return dictionary_.text(code); }
  // Goes on in a form that another thread has found necessary; what is here is brought into it.
  void change(const Form& form, std::size_t rows);
  // Equal ones have equal hashes, also as an integer and as a double.
  std::uint64_t hash(std::size_t row) const;
  // The text of a row that has a value.
  void append_text(std::size_t row, std::string& out) const;

  // The values so far, to be read by their kind: code + 1, 0 for none; kNone; NaN of kNoDouble's
  // bits; end of the text + 1, 0 for none. All may be shorter than the number of rows.
  static constexpr std::int64_t kNone = INT64_MIN;
  static constexpr std::uint64_t kNoDouble = 0x7FF8DEADBEEF0001ULL;
  std::vector<std::uint32_t> codes;
  std::vector<std::int64_t> integers;  // times, too
  std::vector<double> doubles;
  std::vector<Id> ids;
  std::vector<bool> has_id;
  std::vector<std::uint32_t> ends;
  std::string bytes;
  bool used = false;  // since the last `clear`

  // Forgets the rows, keeps form and dictionary.
  void clear();

 private:
  void set_code(std::size_t row, std::string_view text);
  void put(std::size_t row, std::string_view text);  // in a form that takes it, else as text
  void settle(std::size_t rows);
  template <typename T>
  static void place(std::vector<T>& values, std::size_t row, T none, T value);

  Form form_;
  Dictionary dictionary_;
  std::size_t few_;
  std::size_t looked_ = 0;  // the dictionary's size when it was last thought about
  std::size_t values_ = 0;  // in all, while they are codes
  std::uint32_t last_ = 0;  // code + 1 of the last text
};

}  // namespace locard
