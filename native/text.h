// Text as logs have it: repaired UTF-8, trimming, numbers in one spelling, strict JSON checks.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace locard {

// Appends `in` to `out` with every maximal invalid part replaced by U+FFFD, as Python's decoder
// does with errors="replace" and as the Unicode standard recommends.
void append_repaired_utf8(std::string_view in, std::string& out);

// The text without spaces, tabs, CR, FF, VT and byte order marks at both ends.
std::string_view trimmed(std::string_view text);

// The first `count` code points of valid UTF-8.
std::string_view first_code_points(std::string_view text, std::size_t count);

// Checks one JSON number and appends its canonical spelling: integers as they are ("-0" is "0"),
// other numbers in the fewest digits that give the same double, and as they are where a double
// cannot hold them. False if it is no JSON number.
bool append_number(std::string_view token, std::string& out);

// Whether the text is exactly one JSON value; a comma before the end of an array is let pass, as
// DuckDB does. Needs no stack, however deep the nesting.
bool is_valid_json(std::string_view text);

// A second try for a line that is no JSON: from the first brace on, with raw control characters
// as spaces and NaN and Infinity as strings. Empty if there is no brace.
void append_salvaged(std::string_view line, std::string& out);

}  // namespace locard
