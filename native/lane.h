// One thread's reading: newline-delimited JSON into columns; a line that is none costs only itself.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "column.h"
#include "sketch.h"
#include "steps.h"
#include "templates.h"

namespace locard {

struct Node;

struct Limits {
  std::size_t most_fields = 256;
  int deepest = 4;  // levels of objects that become fields
  std::size_t sample_chars = 200;
  bool hands_out = false;  // lines that are not JSON: to be asked for, not skipped
  bool mines = false;      // templates of the fields that hold messages
  // The dotted fields that are asked for, all if there are none. `a[0].b` asks for the raw text of `a`.
  std::vector<std::string> only = {};
  std::size_t few_texts = Column::kFew;
  bool guesses = true;  // lines are tried by the steps of earlier ones
  std::size_t block = 1 << 20;  // bytes that a thread reads at once; fits into the processor's cache
  bool raws = false;  // arrays, and objects that are empty or too deep, are kept as they are written
};

// Lines that were not read, for one reason, and the first of them.
struct Skipped {
  std::int64_t lines = 0;
  std::string sample;
  std::pair<std::uint64_t, std::int64_t> at;  // block and line of the sample
};

// What a lane has read of one block.
struct Chunk {
  std::uint64_t number;  // of the block
  std::int64_t lines = 0;
  std::size_t first_row, rows = 0;
  std::size_t first_text, texts = 0;
  std::vector<std::int64_t> numbers = {};  // of lines that were read elsewhere, by line
  std::int64_t offset = -1, size = 0;      // where the block stands in a file, if it does
};

// Texts of one field of some records, as Arrow has them.
struct TextColumn {
  std::string_view name;
  const std::uint8_t* validity;  // null where all are there
  const std::int32_t* offsets;
  const char* bytes;
};

class Lane {
 public:
  struct Field {
    std::string name;  // dotted
    std::uint64_t first;  // the block that has it first
    Column column;
    bool message = false;
    bool path = false;  // its many texts are endpoints with ids in them
    // Of a message its skeleton, of a path its endpoint: number + 1, by row.
    std::vector<std::uint32_t> shapes = {};
    std::vector<std::int32_t> shape_of_code = {};  // of a message
    Dictionary endpoints{};                        // of a path
    std::size_t shaped = 0;                        // rows
    Sketch sketch{};                               // of what are no codes
    std::size_t sketched = 0;                      // rows
    bool is_raw = false;                           // arrays and objects as they are written
  };

  explicit Lane(const Limits& limits);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Reads a block of whole lines; the last one may lack its newline. An object that follows another
  // on its line counts as a line of its own. `readable_end`: memory up to there may be read.
  void read(std::string_view block, const char* readable_end, std::uint64_t number);

  // Takes records that somebody else has read from text, with the numbers of their lines.
  void read_columns(std::vector<std::int64_t> numbers, const std::vector<TextColumn>& columns, std::uint64_t number);

  std::size_t rows() const { return line_numbers.size(); }

  // Finds the shapes of the texts of messages and paths, and sketches what are no codes: of the rows
  // that have not been looked at yet. `read` does so for each block.
  void look();
  void look_at(Field& field);

  // Adds the dotted names of all keys so far.
  void add_keys(std::set<std::string>& out) const;

  // What was read since the last `clear`; numbers of lines count from the start of their block.
  std::vector<Chunk> chunks;
  std::vector<std::uint32_t> line_numbers;
  std::vector<Field> fields;
  std::vector<std::uint32_t> text_numbers;  // of the lines that are handed out
  std::vector<std::string> texts;
  void clear();

  Templates templates;  // their counts are of the rows since the last `clear`
  std::vector<std::uint64_t> first_blocks;  // of their skeletons
  std::map<std::string, Skipped> skipped;  // since the beginning, as the next two
  std::unordered_set<std::uint64_t> left_out;
  // Block and line of the first line since the last `clear` that is neither blank nor one JSON object.
  std::pair<std::uint64_t, std::int64_t> first_odd = kNoLine;
  static constexpr std::pair<std::uint64_t, std::int64_t> kNoLine{UINT64_MAX, INT64_MAX};
  std::uint64_t guessed = 0;  // lines that took steps of earlier ones

 private:
  struct Parser;
  struct Entry {
    std::int32_t field;
    std::uint32_t top;  // number of the top-level key that it came from
    std::uint32_t number_end;  // for numbers: where their text ends in numbers_, else 0
    std::string_view text;
  };

  void count_codes(Field& field);
  bool read_by_guess(const char*& at, const char* end);
  void learn(std::string_view json);
  void begin_steps();
  void keep_pieces(std::size_t count);
  std::string_view unescaped(const Piece& piece);
  bool add_step(std::uint32_t object, std::string_view literal, std::uint32_t to, const std::vector<std::uint32_t>& keys,
                Node* node, bool is_opaque = false);
  std::uint32_t key_of(Node& node);
  void read_line(std::string_view line, const char* readable_end);
  bool read_salvaged(std::string_view text);
  void read_pieces();
  void note_prefix(std::string_view text);
  void hand_out(const char* reason, std::string_view text);
  bool read_record(std::string_view json, const char* readable_end);
  void keep_record();
  void skip(const char* reason, std::string_view line);
  Node* child_of(Node& node, std::string_view key);
  std::int32_t field_of(Node& node);
  std::int32_t raw_field_of(Node& node);
  std::int32_t add_field(const std::string& name, bool is_raw);
  bool is_wanted(std::string_view name) const;
  void leave_out(std::string_view name);
  void add_text(Node* node, std::uint32_t top, std::string_view text);
  void add_raw(Node* node, std::uint32_t top, std::string_view text);
  bool add_number(Node* node, std::uint32_t top, std::string_view token);
  void note_top_key(Node& node, std::uint32_t top);

  const Limits limits_;
  std::unique_ptr<Parser> parser_;
  std::unique_ptr<Node> root_;
  std::size_t nodes_ = 0;
  std::unordered_map<std::string, std::int32_t> by_name_;
  std::int64_t line_ = 0;  // of the block

  Steps steps_;
  std::vector<Node*> step_nodes_;  // by step, its value's
  std::unordered_map<std::string, std::uint32_t> key_numbers_;
  std::vector<Piece> found_;
  std::string unescaped_;
  bool has_all_steps_ = false;  // there is no room for more
  std::uint32_t misses_ = 0;    // since then
  Match match_;

  // Of the line at hand.
  std::vector<Entry> entries_;
  std::uint64_t tries_ = 0;  // records and what seemed to be one
  std::uint32_t top_keys_ = 0;
  bool repeated_ = false;
  std::vector<bool> overruled_;  // by top-level key, where one stands twice
  std::string numbers_;
  std::string repaired_, salvaged_, padded_;
  std::vector<std::string_view> pieces_;
};

}  // namespace locard
