// What a character is in a message, and the short words that say nothing by themselves. In an unnamed
// namespace: one of the files that include this is compiled for processors with more instructions.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace locard {
namespace {

enum : std::uint8_t { kBlank = 1, kDelimiter = 2, kDigit = 4, kSlash = 8, kRoot = 16, kNewline = 32, kHex = 64 };

constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> made{};
  for (std::size_t c = 0; c <= ' '; ++c) made[c] = kBlank;
  for (const char d : std::string_view("=:,;()[]{}\"'<>|@!?")) made[static_cast<unsigned char>(d)] = kDelimiter;
  for (std::size_t c = '0'; c <= '9'; ++c) made[c] = kDigit | kHex;
  for (std::size_t c = 'a'; c <= 'f'; ++c) made[c] = made[c - 'a' + 'A'] = kHex;
  made['\\'] = kSlash;
  made['/'] = kSlash | kRoot;
  made['\n'] |= kNewline;
  return made;
}();

inline std::uint8_t class_of(char c) { return kClasses[static_cast<unsigned char>(c)]; }
inline bool is_delimiter(char c) { return class_of(c) & kDelimiter; }
inline bool is_blank(char c) { return class_of(c) & kBlank; }

// A word of at most 8 bytes as one number, the rest of which is zero.
using ShortWord = std::uint64_t;

constexpr ShortWord short_word(std::string_view word) {
  std::array<char, 8> bytes{};
  for (std::size_t i = 0; i < word.size(); ++i) bytes[i] = word[i];
  return std::bit_cast<ShortWord>(bytes);
}

// The first `size` of 8 bytes that may be read.
inline ShortWord short_word(const char* p, std::size_t size) {
  static constexpr std::array<ShortWord, 9> kFirst = [] {
    std::array<ShortWord, 9> made{};
    for (std::size_t n = 0; n < made.size(); ++n) made[n] = short_word(std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", n));
    return made;
  }();
  ShortWord word;
  std::memcpy(&word, p, sizeof word);
  return word & kFirst[size];
}

// A table without collisions: the factor that gives each of the words a place of its own is found when
// this is compiled.
template <std::size_t N>
class WordSet {
 public:
  explicit constexpr WordSet(const std::array<std::string_view, N>& words) {
    while (!fill(words)) factor_ = factor_ * 0x5851F42D4C957F2D + 2;  // stays odd
  }
  bool has(ShortWord word) const { return slots_[word * factor_ >> kShift] == word; }

 private:
  static constexpr int kShift = 56;

  constexpr bool fill(const std::array<std::string_view, N>& words) {
    slots_ = {};
    for (const std::string_view text : words) {
      const ShortWord word = short_word(text);
      ShortWord& slot = slots_[word * factor_ >> kShift];
      if (slot) return false;
      slot = word;
    }
    return true;
  }

  ShortWord factor_ = 0x9E3779B97F4A7C15;
  std::array<ShortWord, std::size_t{1} << (64 - kShift)> slots_{};
};

// At most 4 bytes long, from A to W.
constexpr WordSet kDates(std::array<std::string_view, 32>{
    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar", "Apr",
    "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "UTC", "GMT", "PST",
    "PDT", "EST", "EDT", "CST", "CDT", "CET", "CEST", "AM", "PM", "MST"});

// A unit belongs to the number before it: 4 KB and 12 B are one thing.
constexpr WordSet kUnits(std::array<std::string_view, 26>{
    "B",  "KB",  "MB",  "GB",   "TB",      "kB",  "KiB",  "MiB",    "GiB",     "bytes", "ns",    "us",   "ms",
    "s", "sec", "secs", "second", "seconds", "min", "mins", "minute", "minutes", "h",   "hour", "hours", "%"});

}  // namespace
}  // namespace locard
