// Reads newline-delimited JSON into batches; a line that is none costs only itself.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "batch.h"
#include "templates.h"

namespace locard {

struct Limits {
  std::size_t most_fields = 256;
  int deepest = 4;  // levels of objects that become fields
  std::size_t sample_chars = 200;
  bool hands_out = false;  // lines that are not JSON: to be asked for, not skipped
  bool mines = false;      // templates of the fields that hold messages
  // The dotted fields that are asked for, all if there are none. What is not asked for is skipped by
  // its braces, brackets and quotes, and not checked beyond them.
  std::vector<std::string> only = {};
  std::size_t few_texts = 1024;  // in a block; fields with more, most of them different, are plain
};

// Lines that were not read, for one reason, and the first of them.
struct Skipped {
  std::int64_t lines = 0;
  std::string sample;
};

class Reader {
 public:
  explicit Reader(Limits limits);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Reads a block of whole lines; the last one may lack its newline. An object that follows another
  // on its line counts as a line of its own.
  void read(std::string_view block);

  // How many values the records since the last `take` may have: rows times columns, and what is
  // handed out besides.
  std::size_t pending() const;

  // The records since the last `take`. Several small blocks make a batch: blocks that fit into the
  // processor's cache are read faster, and large batches are cheaper to hand on.
  std::shared_ptr<const Batch> take();

  // The lines of the last batch that are not JSON, where they are handed out: columns `_n` and
  // `line`. Without what may stand after their end, but with what they begin with.
  std::shared_ptr<const Batch> text() const { return given_; }

  // The templates of what the fields message, msg and the like hold.
  const Templates& templates() const { return templates_; }

  std::int64_t lines() const { return lines_; }
  std::int64_t records() const { return records_; }
  const std::map<std::string, Skipped>& skipped() const { return skipped_; }
  // Dotted name and column of every field that ever had a value, in the order of discovery.
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }
  std::size_t fields_left_out() const { return left_out_.size(); }

 private:
  struct Node;
  struct Parser;
  struct Entry {
    std::int32_t field;
    std::uint32_t top;  // number of the top-level key that it came from
    std::uint32_t number_end;  // for numbers: where their text ends in numbers_, else 0
    std::string_view text;
  };

  void begin();
  void read_line(std::string_view line, const char* readable_end);
  void mine();
  bool read_salvaged(std::string_view text);
  void read_pieces();
  void note_prefix(std::string_view text);
  void hand_out(const char* reason, std::string_view text);
  bool read_record(std::string_view json, const char* readable_end);
  void keep_record();
  void skip(const char* reason, std::string_view line);
  Node* child_of(Node& node, std::string_view key);
  std::int32_t field_of(Node& node);
  bool is_wanted(std::string_view name) const;
  void leave_out(std::string_view name, std::string_view key);
  void add_text(Node* node, std::uint32_t top, std::string_view text);
  bool add_number(Node* node, std::uint32_t top, std::string_view token);
  void note_top_key(Node& node, std::uint32_t top);

  Limits limits_;
  std::unique_ptr<Parser> parser_;
  std::unique_ptr<Node> root_;
  std::size_t nodes_ = 0;
  std::vector<std::pair<std::string, std::string>> fields_;
  std::unordered_map<std::string, std::int32_t> by_name_;
  std::unordered_set<std::uint64_t> left_out_;
  std::map<std::string, Skipped> skipped_;
  std::int64_t lines_ = 0;
  std::int64_t records_ = 0;

  // Of the line at hand.
  std::vector<Entry> entries_;
  std::uint64_t tries_ = 0;  // records and what seemed to be one
  std::uint32_t top_keys_ = 0;
  bool repeated_ = false;
  std::vector<bool> overruled_;  // by top-level key, where one stands twice
  std::string numbers_;
  std::string repaired_, salvaged_, padded_;
  std::vector<std::string_view> pieces_;
  // Of the batch at hand.
  std::shared_ptr<Batch> batch_;
  Templates templates_;
  std::vector<std::int64_t> counts_;  // by code of a dictionary
  std::shared_ptr<Batch> text_;        // being filled
  std::shared_ptr<const Batch> given_;  // what `text` gives
  std::vector<bool> plain_;       // by field: diverse in an earlier batch
  std::vector<Column*> columns_;  // by field, null where the batch has no value yet
};

}  // namespace locard
