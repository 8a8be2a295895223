#include "text.h"

#include <cstdint>

namespace locard {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Length of the valid sequence at `at`, or 0 and in `bad` how many bytes one replacement stands for.
std::size_t sequence(std::string_view in, std::size_t at, std::size_t& bad) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(in[at + i]); };
  const std::uint8_t lead = byte(0);
  bad = 1;
  if (lead < 0x80) return 1;
  std::size_t more;
  std::uint8_t low = 0x80, high = 0xBF;  // what the second byte may be
  if (lead >= 0xC2 && lead <= 0xDF) {
    more = 1;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    more = 2;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    more = 3;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  for (std::size_t i = 1; i <= more; ++i) {
    if (at + i >= in.size() || byte(i) < low || byte(i) > high) {
      bad = i;
      return 0;
    }
    low = 0x80;
    high = 0xBF;
  }
  return more + 1;
}

}  // namespace

void append_repaired_utf8(std::string_view in, std::string& out) {
  std::size_t good = 0;  // start of what is not copied yet
  std::size_t i = 0;
  while (i < in.size()) {
    std::size_t bad = 0;
    const std::size_t length = sequence(in, i, bad);
    if (length) {
      i += length;
      continue;
    }
    out.append(in.substr(good, i - good)).append(kReplacement);
    i += bad;
    good = i;
  }
  out.append(in.substr(good));
}

std::string_view trimmed(std::string_view text) {
  const auto plain = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; };
  while (!text.empty()) {
    if (plain(text.front())) {
      text.remove_prefix(1);
    } else if (text.starts_with(kByteOrderMark)) {
      text.remove_prefix(kByteOrderMark.size());
    } else {
      break;
    }
  }
  while (!text.empty()) {
    if (plain(text.back())) {
      text.remove_suffix(1);
    } else if (text.ends_with(kByteOrderMark)) {
      text.remove_suffix(kByteOrderMark.size());
    } else {
      break;
    }
  }
  return text;
}

std::string_view first_code_points(std::string_view text, std::size_t count) {
  if (text.size() <= count) return text;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const bool starts = (static_cast<std::uint8_t>(text[i]) & 0xC0) != 0x80;
    if (starts && count-- == 0) break;
  }
  return text.substr(0, i);
}

std::string_view trimmed_end(std::string_view text) {
  for (;;) {
    const std::size_t last = text.find_last_not_of(" \t\r\f\v");
    text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
    if (!text.ends_with(kByteOrderMark)) return text;
    text.remove_suffix(kByteOrderMark.size());
  }
}

bool split_prefix(std::string_view text, Prefix& out) {
  const auto shaped = [&](std::string_view shape, std::size_t at) {
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (at + i >= text.size()) return false;
      if (shape[i] == 'd' ? !is_digit(text[at + i]) : shape[i] != text[at + i]) return false;
    }
    return true;
  };
  if (!shaped("dddd-dd-ddTdd:dd:dd", 0)) return false;
  std::size_t i = 19;
  if (i < text.size() && text[i] == '.') {
    for (++i; i < text.size() && is_digit(text[i]); ++i) {
    }
    if (i == 20) return false;
  }
  if (i < text.size() && text[i] == 'Z') {
    ++i;
  } else if (shaped("+dd:dd", i) || shaped("-dd:dd", i)) {
    i += 6;
  } else {
    return false;
  }
  out.time = text.substr(0, i);
  const std::string_view rest = text.substr(i);
  out.stream = {};
  if (rest.empty()) return true;
  for (const std::string_view form : {" stdout F", " stdout P", " stderr F", " stderr P"}) {
    if (rest != form) continue;
    out.stream = rest.substr(1, 6);
    return true;
  }
  return false;
}

bool is_wrapper(std::string_view prefix) {
  Prefix stamped;
  if (prefix.empty() || prefix.front() == '\x1B' || split_prefix(prefix, stamped)) return true;
  if (prefix.back() == '|') {
    std::string_view name = prefix.substr(0, prefix.size() - 1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    return !name.empty() && name.find(' ') == std::string_view::npos;
  }
  return prefix.front() == '[' && prefix.find_first_of("[]", 1) == prefix.size() - 1 && prefix.back() == ']';
}

}  // namespace locard
