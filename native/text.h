// Text as logs have it: repaired UTF-8, trimming, what stands before a record.
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

// The text without the same at its end only.
std::string_view trimmed_end(std::string_view text);

// The first `count` code points of valid UTF-8.
std::string_view first_code_points(std::string_view text, std::size_t count);

// What a container runtime (CRI: `TIME stdout F`) or `kubectl logs --timestamps` puts before a record.
struct Prefix {
  std::string_view time;
  std::string_view stream;  // stdout, stderr or empty
};

// False if the whole text is no such prefix.
bool split_prefix(std::string_view text, Prefix& out);

// Whether the text before a record says where the record comes from and nothing more: a prefix as
// above, `NAME |` of docker compose, `[pod/NAME]` of kubectl, or a terminal's escapes.
bool is_wrapper(std::string_view prefix);

}  // namespace locard
