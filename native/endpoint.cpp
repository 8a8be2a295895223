#include "endpoint.h"

#include <algorithm>
#include <cstdint>

namespace locard {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return is_upper(c) || (c >= 'a' && c <= 'z'); }
bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

// Letters, perhaps a dash, and three digits or more.
bool is_tagged_number(std::string_view part) {
  std::size_t i = 0;
  while (i < part.size() && is_letter(part[i])) ++i;
  if (i < 1 || i > 12) return false;
  if (i < part.size() && (part[i] == '-' || part[i] == '_')) ++i;
  return part.size() >= i + 3 && std::all_of(part.begin() + static_cast<std::ptrdiff_t>(i), part.end(), is_digit);
}

bool is_uuid(std::string_view part) {
  if (part.size() != 36) return false;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? part[i] != '-' : !is_hex(part[i])) return false;
  }
  return true;
}

// Of a part that has a digit.
bool is_id(std::string_view part) {
  if (std::all_of(part.begin(), part.end(), is_digit) || is_tagged_number(part) || is_uuid(part)) return true;
  if (part.size() >= 8 && std::all_of(part.begin(), part.end(), is_hex)) return true;
  const auto in_token = [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '=' || c == '-'; };
  return part.size() >= 16 && std::all_of(part.begin(), part.end(), in_token);
}

void append_part(std::string_view part, std::string& out) {
  if (std::none_of(part.begin(), part.end(), is_digit)) {
    out.append(part);
    return;
  }
  if (is_id(part)) {
    out.append("{id}");
    return;
  }
  for (std::size_t i = 0; i < part.size();) {
    std::size_t end = i;
    while (end < part.size() && is_digit(part[end])) ++end;
    if (end - i >= 4) {
      out.append("{id}");
    } else {
      out.append(part, i, end - i);
    }
    i = end;
    if (i < part.size()) out.push_back(part[i++]);
  }
}

// The method and the host at its beginning.
std::string_view without_host(std::string_view text) {
  std::size_t method = 0;
  while (method < text.size() && is_upper(text[method])) ++method;
  if (method > 0 && method < text.size() && text[method] == ' ') text.remove_prefix(method + 1);
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const std::size_t slash = text.find('/', scheme.size());
    text.remove_prefix(slash == std::string_view::npos ? text.size() : slash);
    break;
  }
  return text;
}

}  // namespace

bool is_endpoint(std::string_view text) {
  const std::string_view rest = without_host(text);
  return rest.starts_with('/') || (rest.empty() && !text.empty());
}

void append_endpoint(std::string_view text, std::string& out) {
  text = without_host(text);
  // The pattern's dot ends at a line end: what it takes off stands in the last line.
  const std::size_t last_line = text.rfind('\n') + 1;
  std::size_t end = last_line;
  for (; end < text.size(); ++end) {
    const char c = text[end];
    if (c == '?' || c == '#' || (c == ' ' && text.substr(end).starts_with(" HTTP/"))) break;
  }
  text = text.substr(0, end);
  for (;;) {
    const std::size_t slash = text.find('/');
    append_part(text.substr(0, slash), out);
    if (slash == std::string_view::npos) return;
    out.push_back('/');
    text.remove_prefix(slash + 1);
  }
}

}  // namespace locard
