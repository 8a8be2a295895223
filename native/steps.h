// How records go on: from one value the text to the next, as earlier lines had it. A line that only takes
// known steps costs a fraction of parsing it: what stands where values stand is looked at, all of it, and
// everything else has to be equal to a step. Keys may come in any order and be left out, as a step begins
// wherever its object is open. The idea of parsing by a guess that is checked is that of Mison (Li et al.,
// VLDB 2017).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace locard {

// A value of a line.
struct Piece {
  enum Type : std::uint8_t { kString, kEscaped, kInteger, kDecimal, kTrue, kFalse, kNull, kRaw };

  const char* begin;  // of a string, what stands between its quotes; kEscaped: with its escapes
  std::uint32_t size;
  Type type;
  std::uint32_t step;    // that led to it
  std::int64_t integer;  // kInteger
  double decimal;        // kDecimal
};

// The text from the end of a value, or the beginning of the line, to the next value, or to the end.
struct Step {
  std::uint32_t at, size;  // its text in `Steps::text`
  std::uint64_t head, mask;  // the first 8 bytes that tell it from others, and which of them count
  std::uint32_t to;        // the object that is open behind it; kEnd: the record ends
  std::uint32_t keys_at, keys;  // what it opens and its value's, in `Steps::keys`: none may come twice
  std::uint32_t next;      // the step that came after it the last time
  bool is_opaque;          // objects are a value here
  bool is_wanted;          // somebody asks for the value
  static constexpr std::uint32_t kEnd = 0xFFFFFFFF;
  static constexpr std::size_t kHeadAt = 2;  // all begin with a brace or a comma, and a quote
};

struct Steps {
  static constexpr std::size_t kMost = 4096;       // steps
  static constexpr std::size_t kMostFrom = 512;    // from one object
  static constexpr std::size_t kMostPieces = 4096;  // wanted values of a line
  static constexpr std::size_t kPadded = 64;

  std::string text = std::string(kPadded, '\0');  // padded, so that it can be compared in whole vectors
  std::vector<Step> all;
  std::vector<std::vector<std::uint32_t>> from;  // by object: the steps that begin in it; 0 is the record
  std::vector<std::uint32_t> keys;
  std::vector<std::uint64_t> seen;  // by key: the last line that had it
  std::uint64_t line = 0;
  std::uint32_t first = 0;  // the step that the last line began with

  std::uint32_t add_object();
  std::uint32_t add_key();
  // The step with this text from an object; added with the rest if it is not there. `kEnd`: no more room.
  std::uint32_t find_or_add(std::uint32_t object, std::string_view literal, std::uint32_t to,
                            const std::vector<std::uint32_t>& with_keys, bool is_opaque, bool is_wanted);
};

// Takes the steps of a line: `pieces` gets the values that are wanted, `count` how many they are, `line_end`
// its newline, before `text_end`. False where it takes an unknown step, has a key twice, is broken or holds a number
// that needs care. Reads up to `kReadsBeyond` bytes beyond `text_end`.
using Match = bool (*)(Steps& steps, const char* line, const char* text_end, Piece* pieces, std::size_t* count,
                       const char** line_end);
constexpr std::size_t kReadsBeyond = 64;

// The fastest one for this processor.
Match fastest_match();

}  // namespace locard
