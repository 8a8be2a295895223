// Reads a log with several threads and brings what they find together: one set of fields, one
// dictionary and one form for each of them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "batch.h"
#include "lane.h"

namespace locard {

// How lines are told that hold other lines or records.
struct Wrappings {
  std::vector<std::string> words;  // which of JSON have
  std::function<bool(std::string_view)> has_line = nullptr;  // whether another is one
};

// Whether a block of whole lines has wrapped ones, or many that are neither JSON nor indented, by some of
// them. `begins`: it is of the beginning of a log, which is looked at with more care.
bool is_odd(std::string_view block, const Wrappings& wrappings, bool begins);

class Scanner {
 public:
  struct Field {
    std::string name;    // dotted
    std::string column;  // c0, c1, …; that with its shapes is called the same and `s`
    bool message = false;  // its shapes are skeletons of templates
    bool path = false;     // its shapes are endpoints
    bool is_raw = false;   // arrays and objects as they are written
    bool taken = false;    // some of its values have left
    Form form{};
    Dictionary dictionary{};
    Dictionary endpoints{};
    std::int64_t values = 0;
    // Number of the line and text, cut, of records spread over the whole log: see `kSampled`.
    std::vector<std::pair<std::int64_t, std::string>> samples{};
    bool has_shapes() const { return message || path; }
  };
  // The lines whose number is divisible by the smallest power of two that leaves at most so many.
  static constexpr std::int64_t kSampled = 8192;

  // Where a file was read to, and whether the block that begins there needs another look.
  struct Stop {
    std::int64_t offset;
    bool odd = false;
    int error = 0;  // of reading
  };

  Scanner(Limits limits, std::size_t threads);
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  // Reads a block of whole lines; the last one may lack its newline.
  void read(std::string_view block);

  // Takes records that somebody else has read from text: their first column has the numbers of their
  // lines, the others are fields.
  void read_columns(const ArrowSchema& schema, const ArrowArray& records);

  // Reads whole lines of a file from `offset`, where one begins, to `end`, about `most` bytes of it, by
  // all threads. Stops before a block that is odd: one with wrapped lines, or many that are neither JSON
  // nor indented; and before a line that is very long.
  Stop scan(int file, std::int64_t offset, std::int64_t end, std::int64_t most, const Wrappings& wrappings);

  // How many values, and lines that are handed out, have come since the last `take`.
  std::size_t pending() const;

  // The records since the last `take`, with the columns of all fields so far.
  std::shared_ptr<const Batch> take();
  // The lines of the same time that are not JSON, where they are handed out: columns `_n` and `line`.
  std::shared_ptr<const Batch> text() const { return text_; }

  const Templates& templates() const { return templates_; }
  // All of this is right after a `take`, but the counts, which always are.
  const std::vector<Field>& fields() const { return fields_; }
  std::map<std::string, Skipped> skipped() const;
  std::int64_t lines() const { return lines_; }
  std::int64_t records() const { return records_; }
  // The number of the first line that is neither blank nor one JSON object, as of the last `take`; -1 if all are.
  // First line, number of lines, offset and size of each block that was read from a file, as of the last `take`.
  const std::vector<std::array<std::int64_t, 4>>& places() const { return places_; }
  std::int64_t first_odd() const { return first_odd_; }
  std::size_t fields_left_out() const;
  std::uint64_t guessed() const;
  std::vector<std::string> keys() const;  // dotted, of all fields, also unwanted ones
  // Of a field whose values are no codes.
  Sketch sketch(std::size_t field) const;

 private:
  struct Bridge {  // from a lane to the whole
    std::vector<std::int32_t> fields;                 // -1: too many
    std::vector<std::vector<std::uint16_t>> codes;    // by field and code of the lane
    std::vector<std::int32_t> skeletons;
    std::vector<std::vector<std::uint16_t>> endpoints;  // by field and code of the lane
  };

  void meet_fields();
  void meet_skeletons();
  void agree(std::size_t field);
  bool takes_all(Form& form, std::size_t field);
  Lane::Field* field_of(std::size_t lane, std::size_t field) const;
  void sample(const BatchPart& part, std::size_t lane);
  void fill_shapes(OutColumn& out, std::size_t rows, std::size_t lane, std::size_t field);
  void number_lines();
  void fill(BatchPart& part, std::size_t lane, std::size_t field, std::size_t out);
  std::shared_ptr<Batch> hand_out();

  const Limits limits_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<Bridge> bridges_;
  std::vector<Field> fields_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::unordered_set<std::uint64_t> left_out_;
  Templates templates_;
  std::shared_ptr<const Batch> text_;
  std::shared_ptr<SpareRoom> spare_ = std::make_shared<SpareRoom>();
  std::uint64_t blocks_ = 0;
  std::int64_t lines_ = 0, records_ = 0;
  std::unordered_map<std::uint64_t, std::int64_t> first_line_;  // by block, since the last take
  std::int64_t taken_lines_ = 0;
  std::int64_t first_odd_ = -1;
  std::vector<std::array<std::int64_t, 4>> places_;
  std::int64_t every_ = 1;  // line is sampled
};

}  // namespace locard
