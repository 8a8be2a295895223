#include "forms.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "json_text.h"

namespace locard {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool two_digits(const char* p, int& out) {
  if (!is_digit(p[0]) || !is_digit(p[1])) return false;
  out = (p[0] - '0') * 10 + (p[1] - '0');
  return true;
}

// Days since 1970 in the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level
// Date Algorithms").
std::int64_t days_from_civil(std::int64_t y, int m, int d) {
  y -= m <= 2;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t year = y - era * 400;
  const std::int64_t day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + year * 365 + year / 4 - year / 100 + day - 719468;
}

void civil_from_days(std::int64_t z, int& y, int& m, int& d) {
  z += 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const std::int64_t day = z - era * 146097;
  const std::int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  const std::int64_t in_year = day - (365 * year + year / 4 - year / 100);
  const std::int64_t month = (5 * in_year + 2) / 153;
  d = static_cast<int>(in_year - (153 * month + 2) / 5 + 1);
  m = static_cast<int>(month < 10 ? month + 3 : month - 9);
  y = static_cast<int>(year + era * 400 + (m <= 2));
}

int days_in(int y, int m) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) ? 29 : kDays[m - 1];
}

// Z, or an offset with a colon. Others are read as text: DuckDB takes them apart.
bool parse_zone(std::string_view text, std::int64_t& offset_s) {
  offset_s = 0;
  if (text.empty() || text == "Z") return true;
  int hours = 0, minutes = 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':' ||
      !two_digits(text.data() + 1, hours) || !two_digits(text.data() + 4, minutes) || hours > 15 || minutes > 59) {
    return false;
  }
  offset_s = (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  return true;
}

// By byte: the value of a lower-case hex digit, 0xFF for any other. Random digits would be guessed
// wrong half of the time by anything that branches.
constexpr std::array<std::uint8_t, 256> kHex = [] {
  std::array<std::uint8_t, 256> made{};
  made.fill(0xFF);
  for (std::uint8_t i = 0; i < 16; ++i) made[static_cast<unsigned char>("0123456789abcdef"[i])] = i;
  return made;
}();

// `count` hex digits; false if one of them is none.
bool parse_hex(const char* p, int count, std::uint64_t& word) {
  unsigned bad = 0;
  for (int i = 0; i < count; ++i) {
    const std::uint8_t digit = kHex[static_cast<unsigned char>(p[i])];
    bad |= digit;
    word = word << 4 | (digit & 15U);
  }
  return bad < 16;
}

}  // namespace

bool parse_integer(std::string_view text, std::int64_t& out) {
  const bool negative = !text.empty() && text[0] == '-';
  const std::string_view digits = text.substr(negative);
  if (digits.empty() || digits.size() > 18 || (digits[0] == '0' && text.size() > 1)) return false;
  std::int64_t value = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return false;
    value = value * 10 + (c - '0');
  }
  out = negative ? -value : value;
  return true;
}

bool parse_double(std::string_view text, double& out, bool& whole, bool& point) {
  std::int64_t integer = 0;
  point = false;
  if (parse_integer(text, integer)) {
    out = static_cast<double>(integer);
    whole = true;
    return std::abs(out) < kMostDouble;
  }
  const auto done = std::from_chars(text.data(), text.data() + text.size(), out);
  if (done.ec != std::errc() || done.ptr != text.data() + text.size()) return false;
  const double size = std::abs(out);
  if (!(size < kMostDouble) || (size < kLeastDouble && (size != 0 || std::signbit(out)))) return false;
  whole = point = out == std::trunc(out);
  thread_local std::string canonical;
  canonical.clear();
  return append_number(text, canonical) && canonical == text;
}

bool parse_time(std::string_view text, std::int64_t& out, TimeForm& form) {
  const char* p = text.data();
  int century = 0, years = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (text.size() < 19 || !two_digits(p, century) || !two_digits(p + 2, years) || p[4] != '-' ||
      !two_digits(p + 5, month) || p[7] != '-' || !two_digits(p + 8, day) || (p[10] != 'T' && p[10] != ' ') ||
      !two_digits(p + 11, hour) || p[13] != ':' || !two_digits(p + 14, minute) || p[16] != ':' ||
      !two_digits(p + 17, second)) {
    return false;
  }
  const int year = century * 100 + years;
  // What nanoseconds in 64 bits can hold, and DuckDB's functions for them.
  if (year < 1900 || year > 2200 || month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 ||
      minute > 59 || second > 59) {
    return false;
  }
  form = TimeForm{};
  form.middle = p[10];
  std::size_t at = 19;
  std::int64_t fraction = 0;
  if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
    form.point = text[at++];
    while (at < text.size() && is_digit(text[at]) && form.digits < 9) {
      fraction = fraction * 10 + (text[at++] - '0');
      ++form.digits;
    }
    if (form.digits == 0) return false;
    form.ends_in_zero = text[at - 1] == '0';
    form.zero = fraction == 0;
    for (int i = form.digits; i < 9; ++i) fraction *= 10;
  } else {
    form.none = true;
  }
  const std::string_view zone = text.substr(at);
  if (!parse_zone(zone, form.offset_s)) return false;
  std::copy(zone.begin(), zone.end(), form.zone.begin());
  const std::int64_t days = days_from_civil(year, month, day);
  out = ((days * 86400 + hour * 3600 + minute * 60 + second) - form.offset_s) * 1'000'000'000 + fraction;
  return true;
}

bool TimeForm::merge(const TimeForm& other) {
  if (middle == 0) {
    *this = other;
    return true;
  }
  if (middle != other.middle || zone != other.zone || (point && other.point && point != other.point)) return false;
  varies |= other.varies || (point && other.point && digits != other.digits);
  if (!point) point = other.point;
  digits = digits > other.digits ? digits : other.digits;
  ends_in_zero |= other.ends_in_zero;
  none |= other.none;
  zero |= other.zero;
  // Cut zeros explain several lengths and none at all; a fixed length may leave out only zeros.
  return varies ? !ends_in_zero : !(none && zero);
}

std::string TimeForm::words() const {
  const bool cut = varies || (none && point && !ends_in_zero);
  std::string out;
  out.append(1, middle).append("\t").append(1, point ? point : '.').append("\t").append(std::to_string(digits));
  out.append("\t").append(cut ? "cut" : none ? "zero" : "fixed").append("\t").append(zone.data()).append("\t");
  return out.append(std::to_string(offset_s));
}

void append_time(std::int64_t ns, const TimeForm& form, std::string& out) {
  std::int64_t seconds = ns / 1'000'000'000, fraction = ns % 1'000'000'000;
  if (fraction < 0) {
    fraction += 1'000'000'000;
    --seconds;
  }
  seconds += form.offset_s;
  std::int64_t days = seconds / 86400, rest = seconds % 86400;
  if (rest < 0) {
    rest += 86400;
    --days;
  }
  int y = 0, m = 0, d = 0;
  civil_from_days(days, y, m, d);
  const auto put = [&](std::int64_t value, int width) {
    char digits[20];
    for (int i = width; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + value % 10);
    out.append(digits, static_cast<std::size_t>(width));
  };
  put(y, 4);
  out.push_back('-');
  put(m, 2);
  out.push_back('-');
  put(d, 2);
  out.push_back(form.middle);
  put(rest / 3600, 2);
  out.push_back(':');
  put(rest / 60 % 60, 2);
  out.push_back(':');
  put(rest % 60, 2);
  const bool cut = form.varies || (form.none && form.point && !form.ends_in_zero);
  if (form.digits > 0 && !(form.none && fraction == 0)) {
    out.push_back(form.point);
    for (int i = form.digits; i < 9; ++i) fraction /= 10;
    put(fraction, form.digits);
    while (cut && out.back() == '0') out.pop_back();
    if (out.back() == form.point) out.pop_back();
  }
  out.append(form.zone.data());
}

bool parse_id(std::string_view text, Id& out, bool& dashed) {
  dashed = text.size() == 36;
  if (!dashed && text.size() != 32) return false;
  const char* p = text.data();
  out = {};
  if (!dashed) return parse_hex(p, 16, out.high) && parse_hex(p + 16, 16, out.low);
  return p[8] == '-' && p[13] == '-' && p[18] == '-' && p[23] == '-' && parse_hex(p, 8, out.high) &&
         parse_hex(p + 9, 4, out.high) && parse_hex(p + 14, 4, out.high) && parse_hex(p + 19, 4, out.low) &&
         parse_hex(p + 24, 12, out.low);
}

void append_id(const Id& id, bool dashed, std::string& out) {
  for (int i = 0; i < 32; ++i) {
    if (dashed && (i == 8 || i == 12 || i == 16 || i == 20)) out.push_back('-');
    const std::uint64_t word = i < 16 ? id.high : id.low;
    out.push_back("0123456789abcdef"[word >> (60 - 4 * (i % 16)) & 15]);
  }
}

}  // namespace locard
