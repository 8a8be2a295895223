// JSON as text: numbers in one spelling, strict checks, what can be saved of broken lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace locard {

// Checks one JSON number and appends its canonical spelling: integers as they are ("-0" is "0"),
// other numbers in the fewest digits that give the same double, and as they are where a double
// cannot hold them. False if it is no JSON number.
bool append_number(std::string_view token, std::string& out);

// A double in the fewest digits that give it back, in the layout of DuckDB's JSON writer.
void append_double(double value, std::string& out);

// Whether the text is exactly one JSON value; a comma before the end of an array is let pass, as
// DuckDB does. Needs no stack, however deep the nesting.
bool is_valid_json(std::string_view text);

// Splits a line that holds several objects, one after the other: the text from the first brace on
// in pieces that begin with a brace and end with its counterpart, the last one perhaps too early.
// False if there is but one, or anything but white space between them.
bool split_objects(std::string_view text, std::vector<std::string_view>& pieces);

// A second try for a line that is no JSON: from the first brace on, with raw control characters
// as spaces and NaN and Infinity as strings. Empty if there is no brace.
void append_salvaged(std::string_view line, std::string& out);

}  // namespace locard
