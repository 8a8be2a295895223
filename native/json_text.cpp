#include "json_text.h"

#include <charconv>
#include <cmath>

namespace locard {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Length of a JSON string with its quotes, or 0. Escapes are checked; a surrogate without its other
// half is let pass, as it is where strings are read (it becomes U+FFFD there).
std::size_t string_length(std::string_view text) {
  const auto hex4 = [&](std::size_t at, unsigned& value) {
    if (at + 4 > text.size()) return false;
    const auto done = std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
    return done.ptr == text.data() + at + 4 && text[at] != '-';
  };
  std::size_t i = 1;
  while (i < text.size()) {
    const char c = text[i];
    if (c == '"') return i + 1;
    if (static_cast<unsigned char>(c) < 0x20) return 0;
    if (c != '\\') {
      ++i;
      continue;
    }
    if (++i >= text.size()) return 0;
    if (text[i] != 'u') {
      if (std::string_view("\"\\/bfnrt").find(text[i]) == std::string_view::npos) return 0;
      ++i;
      continue;
    }
    unsigned unit = 0;
    if (!hex4(i + 1, unit)) return 0;
    i += 5;
  }
  return 0;
}

// Length of the JSON number at the start of the text, or 0. `integer`: no fraction, no exponent.
std::size_t number_length(std::string_view text, bool& integer) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t from = i;
    while (i < text.size() && is_digit(text[i])) ++i;
    return i > from;
  };
  integer = true;
  if (i < text.size() && text[i] == '-') ++i;
  if (i < text.size() && text[i] == '0') {
    ++i;
  } else if (!digits()) {
    return 0;
  }
  if (i < text.size() && text[i] == '.') {
    ++i;
    integer = false;
    if (!digits()) return 0;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    integer = false;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return 0;
  }
  return i;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    if ((text[i] | 0x20) != lower[i]) return false;
  }
  return true;
}

// Length of NaN, Inf or Infinity in any case and with a minus, or 0.
std::size_t not_finite(std::string_view text) {
  const std::size_t sign = !text.empty() && text[0] == '-';
  for (const std::string_view word : {"nan", "infinity", "inf"}) {
    if (starts_with_ignoring_case(text.substr(sign), word)) return sign + word.size();
  }
  return 0;
}

}  // namespace

void append_double(double value, std::string& out) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const char* p = buffer;
  if (*p == '-') {
    out.push_back('-');
    ++p;
  }
  std::string digits(1, *p++);
  if (*p == '.') {
    for (++p; p < end && is_digit(*p); ++p) digits.push_back(*p);
  }
  int exponent = 0;
  if (p < end && *p == 'e') {
    ++p;
    if (p < end && *p == '+') ++p;
    std::from_chars(p, end, exponent);
  }
  const int point = exponent + 1;  // digits before the decimal point
  const int count = static_cast<int>(digits.size());
  if (point > -6 && point <= 21) {
    if (point <= 0) {
      out.append("0.").append(static_cast<std::size_t>(-point), '0').append(digits);
    } else if (count <= point) {
      out.append(digits).append(static_cast<std::size_t>(point - count), '0').append(".0");
    } else {
      out.append(digits, 0, static_cast<std::size_t>(point)).push_back('.');
      out.append(digits, static_cast<std::size_t>(point));
    }
    return;
  }
  out.push_back(digits[0]);
  if (count > 1) out.append(".").append(digits, 1);
  out.append("e").append(std::to_string(exponent));
}

bool append_number(std::string_view token, std::string& out) {
  bool integer = false;
  if (token.empty() || number_length(token, integer) != token.size()) return false;
  if (integer) {
    out.append(token == "-0" ? "0" : token);
    return true;
  }
  double value = 0;
  const auto done = std::from_chars(token.data(), token.data() + token.size(), value);
  if (done.ec == std::errc::result_out_of_range && std::abs(value) != 0.0) {
    out.append(token);  // too large for a double: nothing is lost by keeping the text
    return true;
  }
  if (done.ec == std::errc::result_out_of_range) {
    // from_chars leaves the value alone: tell too large from too small by the exponent's sign.
    const auto e = token.find_first_of("eE");
    const bool small = e != std::string_view::npos && e + 1 < token.size() && token[e + 1] == '-';
    if (!small) {
      out.append(token);
      return true;
    }
    value = token[0] == '-' ? -0.0 : 0.0;
  }
  append_double(value, out);
  return true;
}

bool is_valid_json(std::string_view text) {
  std::vector<bool> objects;  // one entry an open container: an object, else an array
  std::size_t i = 0;
  const auto skip = [&] {
    while (i < text.size() && is_space(text[i])) ++i;
  };
  const auto key = [&] {
    if (i >= text.size() || text[i] != '"') return false;
    const std::size_t length = string_length(text.substr(i));
    if (!length) return false;
    i += length;
    skip();
    if (i >= text.size() || text[i] != ':') return false;
    ++i;
    return true;
  };
  for (;;) {
    skip();
    if (i >= text.size()) return false;
    const char c = text[i];
    if (c == '{' || c == '[') {
      ++i;
      skip();
      const char close = c == '{' ? '}' : ']';
      if (i < text.size() && text[i] == close) {
        ++i;
      } else {
        objects.push_back(c == '{');
        if (c == '{' && !key()) return false;
        continue;
      }
    } else if (c == '"') {
      const std::size_t length = string_length(text.substr(i));
      if (!length) return false;
      i += length;
    } else if (text.substr(i, 4) == "true" || text.substr(i, 4) == "null") {
      i += 4;
    } else if (text.substr(i, 5) == "false") {
      i += 5;
    } else {
      bool integer = false;
      const std::size_t length = number_length(text.substr(i), integer);
      if (!length) return false;
      i += length;
    }
    for (;;) {  // after a value
      skip();
      if (objects.empty()) return i == text.size();
      if (i >= text.size()) return false;
      if (text[i] == ',') {
        ++i;
        skip();
        if (objects.back() && !key()) return false;
        if (!objects.back() && i < text.size() && text[i] == ']') continue;  // [1,] is common
        break;
      }
      if (text[i] != (objects.back() ? '}' : ']')) return false;
      ++i;
      objects.pop_back();
    }
  }
}

bool split_objects(std::string_view text, std::vector<std::string_view>& pieces) {
  pieces.clear();
  std::size_t from = text.find('{');
  if (from == std::string_view::npos) return false;
  std::size_t depth = 0;
  bool inside = false;  // a string
  for (std::size_t i = from; i < text.size(); ++i) {
    const char c = text[i];
    if (inside) {
      if (c == '\\') ++i;
      if (c == '"') inside = false;
      continue;
    }
    if (c == '"') inside = true;
    if (c == '{') ++depth;
    if (c != '}' || --depth > 0) continue;
    pieces.push_back(text.substr(from, i + 1 - from));
    for (++i; i < text.size() && static_cast<unsigned char>(text[i]) <= ' '; ++i) {
    }
    if (i == text.size()) return pieces.size() > 1;
    if (text[i] != '{') return false;
    from = i--;
  }
  pieces.push_back(text.substr(from));
  return pieces.size() > 1;
}

void append_salvaged(std::string_view line, std::string& out) {
  const std::size_t brace = line.find('{');
  if (brace == std::string_view::npos) return;
  bool inside = false;  // a string
  for (std::size_t i = brace; i < line.size(); ++i) {
    const char c = line[i];
    if (static_cast<unsigned char>(c) < 0x20) {
      out.push_back(' ');
      continue;
    }
    if (inside && c == '\\' && i + 1 < line.size()) {
      out.push_back(c);
      const char next = line[++i];
      out.push_back(static_cast<unsigned char>(next) < 0x20 ? ' ' : next);
      continue;
    }
    if (c == '"') inside = !inside;
    const std::size_t length = inside ? 0 : not_finite(line.substr(i));
    if (length) {
      out.append("\"").append(line.substr(i, length)).append("\"");
      i += length - 1;
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace locard
