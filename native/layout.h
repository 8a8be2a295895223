// The shape of lines that a logger writes again and again: the same keys in the same order. A line
// is tried against the shapes of earlier ones, which costs a fraction of parsing it: only what stands
// where values stand is looked at, all of it, and everything else has to be equal. The idea of
// parsing by a guess that is checked is that of Mison (Li et al., VLDB 2017).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace locard {

// A scalar value of a line.
struct Piece {
  enum Type : std::uint8_t { kString, kInteger, kDecimal, kTrue, kFalse, kNull };

  const char* begin;  // of a string, what stands between its quotes
  std::uint32_t size;
  Type type;
  std::int64_t integer;  // kInteger
  double decimal;        // kDecimal
};

struct Layout {
  static constexpr std::int32_t kNoField = -1;

  struct Slot {
    std::uint32_t at;    // where the text from the last value to this one stands in `text`
    std::uint32_t size;
    std::int32_t field;  // kNoField: nobody wants it
    // Nobody wants this one and those up to slot `next`, whose key is searched for; 0 if not so.
    std::uint32_t next = 0;
  };

  std::string text;  // padded, so that it can be compared in whole vectors
  std::vector<Slot> slots;
  std::uint32_t after_at = 0, after_size = 0;  // what follows the last value
  bool ends_early = false;  // nobody wants the values behind the last slot

  void append(std::string_view literal, std::int32_t field);
  // `skips`: unwanted values need not be looked at.
  void close(std::string_view literal, bool skips);
};

// Tries a line against a layout: `pieces` gets the values of its slots, `line_end` its newline, before
// `text_end`. False where it is of another shape, is broken, holds an escape or a number that needs
// care. Reads up to `kReadsBeyond` bytes beyond `text_end`.
using Match = bool (*)(const Layout& layout, const char* line, const char* text_end, Piece* pieces,
                       const char** line_end);
constexpr std::size_t kReadsBeyond = 64;

// The fastest one for this processor.
Match fastest_match();

}  // namespace locard
