// How the values of a field are kept: as codes of a dictionary, or as what their texts stand for.
// A text that is kept as a number, a time or an id is got back exactly as it was.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace locard {

enum class Kind : std::uint8_t {
  kCodes,     // few different texts
  kIntegers,  // 64 bits
  kDoubles,
  kTimes,     // ISO 8601 with one way of writing: nanoseconds since 1970
  kIds,       // 32 lower-case hex digits, or a UUID in lower case: 16 bytes
  kTexts,
};

// Doubles beyond are written with an exponent by DuckDB, and are kept as texts.
constexpr double kLeastDouble = 1e-4, kMostDouble = 1e15;

// An integer as JSON writes it, in 64 bits (the smallest of which stands for "none").
bool parse_integer(std::string_view text, std::int64_t& out);

// A number between 1e-4 and 1e15 (or 0) in canonical spelling (see json_text.h), so that DuckDB
// spells it the same way. `whole`: without a fraction, `point`: written as 5.0 and not as 5.
bool parse_double(std::string_view text, double& out, bool& whole, bool& point);

// How a time is written. Two values of one field are in one form if `merge` accepts both.
struct TimeForm {
  char middle = 0;       // between date and time: T or a space
  char point = 0;        // before the fraction, 0 while none was seen
  int digits = 0;        // of the fraction: the same for all, or the most of them where zeros are cut
  bool varies = false;   // fractions of several lengths
  bool ends_in_zero = false;  // a fraction ends in zero, so zeros are not cut
  bool none = false;     // some have no fraction
  bool zero = false;     // some have a fraction of zeros
  std::array<char, 8> zone{};  // "", Z, +02:00 …
  std::int64_t offset_s = 0;

  // False where the two cannot be one form, from which each text can be had back.
  bool merge(const TimeForm& other);
  // The pieces for whoever writes the SQL: middle, point, digits, how (`fixed`, `cut`), zone, offset.
  std::string words() const;
};

bool parse_time(std::string_view text, std::int64_t& out, TimeForm& form);
void append_time(std::int64_t ns, const TimeForm& form, std::string& out);

struct Id {
  std::uint64_t high = 0, low = 0;
};

// `dashed`: written as a UUID.
bool parse_id(std::string_view text, Id& out, bool& dashed);
void append_id(const Id& id, bool dashed, std::string& out);

}  // namespace locard
