// The making of skeletons, for one width of vectors. Included by one source file for each instruction
// set; everything is in an unnamed namespace, as each file needs its own. The classes of 64 characters
// come first, as bits: where words end and which of them are variable is then found for all of them at
// once (the idea is that of simdjson: Langdale and Lemire, VLDB Journal 2019).
#pragma once

#include <algorithm>
#include <cstring>

#include "skeleton.h"
#include "words.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace locard {
namespace {

// Bit i is character i of some.
struct Classes {
  std::uint64_t stops = 0;  // blanks and delimiters
  std::uint64_t delimiters = 0, digits = 0, slashes = 0, roots = 0, newlines = 0;
};

constexpr std::size_t kAtOnce = 32;

#if defined(__AVX2__)
// A class is a bit of what two tables have for both halves of a character (Mula and Lemire, 2018).
struct Halves {
  alignas(16) std::array<std::uint8_t, 16> low{}, high{};
};

constexpr std::uint8_t kDelimiterBits = 0x1F, kDigitBit = 0x20, kSlashBits = 0xC0, kRootBit = 0x40;

constexpr Halves kHalves = [] {
  struct Group {
    std::uint8_t high, which;
  };
  constexpr Group kGroups[] = {{2, kDelimiter}, {3, kDelimiter}, {4, kDelimiter}, {5, kDelimiter},
                               {7, kDelimiter}, {3, kDigit},     {2, kSlash},     {5, kSlash}};
  Halves made;
  for (std::size_t g = 0; g < 8; ++g) {
    const auto bit = static_cast<std::uint8_t>(1U << g);
    made.high[kGroups[g].high] |= bit;
    for (std::size_t low = 0; low < 16; ++low) {
      if (kClasses[kGroups[g].high * 16U + low] & kGroups[g].which) made.low[low] |= bit;
    }
  }
  return made;
}();

static_assert([] {
  for (std::size_t c = 0; c < 256; ++c) {
    const unsigned bits = kHalves.high[c / 16] & kHalves.low[c % 16];
    if (!(bits & kDelimiterBits) != !(kClasses[c] & kDelimiter) || !(bits & kDigitBit) != !(kClasses[c] & kDigit) ||
        !(bits & kSlashBits) != !(kClasses[c] & kSlash) || !(bits & kRootBit) != !(kClasses[c] & kRoot)) {
      return false;
    }
  }
  return true;
}());

inline std::uint64_t bits_of(__m256i v) { return static_cast<std::uint32_t>(_mm256_movemask_epi8(v)); }

inline Classes classes_of(const char* p) {
  const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const auto table = [](const auto& t) {
    return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(t.data())));
  };
  const __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0F));
  // Characters from 0x80 on are of no class: the shuffle makes zeros of them.
  const __m256i found = _mm256_and_si256(_mm256_shuffle_epi8(table(kHalves.low), v), _mm256_shuffle_epi8(table(kHalves.high), high));
  const __m256i others = _mm256_cmpeq_epi8(_mm256_and_si256(found, _mm256_set1_epi8(kDelimiterBits)), _mm256_setzero_si256());
  Classes out;
  out.delimiters = bits_of(others) ^ 0xFFFFFFFF;
  out.stops = bits_of(_mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(' ')), v)) | out.delimiters;
  out.digits = bits_of(_mm256_slli_epi16(found, 2));
  out.roots = bits_of(_mm256_slli_epi16(found, 1));
  out.slashes = bits_of(found) | out.roots;
  out.newlines = bits_of(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\n')));
  return out;
}
#else
// The lowest bit of each of 8 bytes, side by side.
inline std::uint64_t lowest_bits(std::uint64_t bytes) { return (bytes & 0x0101010101010101) * 0x0102040810204080 >> 56; }

inline Classes classes_of(const char* p) {
  static_assert(kBlank == 1 && kDelimiter == 2 && kDigit == 4 && kSlash == 8 && kRoot == 16 && kNewline == 32);
  Classes out;
  for (std::size_t i = 0; i < kAtOnce; i += 8) {
    std::uint64_t bytes = 0;
    for (std::size_t k = 0; k < 8; ++k) bytes |= static_cast<std::uint64_t>(class_of(p[i + k])) << 8 * k;
    out.stops |= lowest_bits(bytes | bytes >> 1) << i;
    out.delimiters |= lowest_bits(bytes >> 1) << i;
    out.digits |= lowest_bits(bytes >> 2) << i;
    out.slashes |= lowest_bits(bytes >> 3) << i;
    out.roots |= lowest_bits(bytes >> 4) << i;
    out.newlines |= lowest_bits(bytes >> 5) << i;
  }
  return out;
}
#endif

// A copy of a message, beyond whose end one may read.
class Message {
 public:
  explicit Message(std::string_view text) { text.copy(text_.data(), text.size()); }

  const char* at(std::size_t i) const { return text_.data() + i; }

  // The classes of the 64 characters from `i` on; what is behind the end has any.
  Classes classes(std::size_t i) const {
    const Classes a = classes_of(at(i)), b = classes_of(at(i + kAtOnce));
    const auto join = [&](std::uint64_t x, std::uint64_t y) { return x | y << kAtOnce; };
    return {join(a.stops, b.stops),     join(a.delimiters, b.delimiters), join(a.digits, b.digits),
            join(a.slashes, b.slashes), join(a.roots, b.roots),           join(a.newlines, b.newlines)};
  }

 private:
  std::array<char, Skeleton::kLongest + 64> text_;
};

constexpr std::array<char, 256> kOpening = [] {
  std::array<char, 256> made{};
  made[')'] = '(';
  made[']'] = '[';
  made['}'] = '{';
  made['>'] = '<';
  return made;
}();

// The tokens so far, each with an end mark.
class Tokens {
 public:
  explicit Tokens(char* out) : out_(out) {}

  bool is_full() const { return count_ == Skeleton::kMostTokens; }
  std::size_t used() const { return at_.used; }
  // The token so many places from the end, 4 at most, if it is a single character, else 0.
  char last(std::size_t back) const { return static_cast<char>(at_.singles >> 8 * (back - 1)); }

  void put(const char* word, std::size_t size) {
    char* const to = out_ + at_.used;
    for (std::size_t i = 0; i < size; i += Skeleton::kCopied) std::memcpy(to + i, word + i, Skeleton::kCopied);
    note(size, size == 1 ? *word : '\0');
  }

  // Lists of variables are one, however long.
  void put_variable() {
    const char before = last(1);
    if (before == Skeleton::kVariable) return;
    if ((before == ',' || before == ':' || before == ';' || before == '|') && last(2) == Skeleton::kVariable) return drop(1);
    put(Skeleton::kVariable);
  }

  // What stands in brackets after a variable belongs to it; empty brackets say nothing.
  void put_delimiter(char c) {
    const char open = kOpening[static_cast<unsigned char>(c)];
    if (open) {
      if (last(1) == open) return drop(1);
      if (last(1) == Skeleton::kVariable && last(2) == open && last(3) == Skeleton::kVariable) return drop(2);
    }
    put(c);
  }

 private:
  struct State {
    std::uint32_t used;     // bytes
    std::uint32_t singles;  // the last tokens, the very last one lowest
  };

  void put(char c) {
    out_[at_.used] = c;
    note(1, c);
  }

  void note(std::size_t size, char single) {
    before_[count_++] = at_;
    at_.used += static_cast<std::uint32_t>(size);
    out_[at_.used++] = Skeleton::kEnd;
    at_.singles = at_.singles << 8 | static_cast<unsigned char>(single);
  }

  void drop(std::size_t tokens) {
    count_ -= tokens;
    at_ = before_[count_];
  }

  char* const out_;
  State at_{0, 0};
  std::size_t count_ = 0;
  std::array<State, Skeleton::kMostTokens> before_;  // each token
};

inline bool all_hex(const char* word, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    if (!(class_of(word[i]) & kHex)) return false;
  }
  return true;
}

// Figures behind a colon behind others: of one address.
inline bool goes_on(const Tokens& out, const char* word, std::size_t size) {
  return out.last(1) == ':' && out.last(2) == Skeleton::kVariable && word[-1] == ':' && all_hex(word, size);
}

// A word that has neither a digit nor what makes a path.
inline void put_word(const Message& message, std::size_t i, std::size_t size, Tokens& out) {
  const char* const word = message.at(i);
  while (size > 1 && word[size - 1] == '.') --size;
  if (size <= 8) {
    if (size == 1 && (*word == '-' || *word == '+' || *word == '*')) return;
    const ShortWord short_one = short_word(word, size);
    if (*word >= 'A' && *word <= 'W' && size <= 4 && kDates.has(short_one)) return out.put_variable();
    if (out.last(1) == Skeleton::kVariable && kUnits.has(short_one)) return;
    if (goes_on(out, word, size)) return out.put_variable();
  }
  out.put(word, size);
}

// Sums of long numbers, piece by piece.
class Sum {
 public:
  std::uint64_t operator()(std::uint64_t a, std::uint64_t b) {
    std::uint64_t sum = 0;
    const bool first = __builtin_add_overflow(a, b, &sum);
    const bool second = __builtin_add_overflow(sum, carry_, &sum);
    carry_ = first | second;
    return sum;
  }

 private:
  std::uint64_t carry_ = 0;
};

// Shifts a long number by one.
class Shift {
 public:
  explicit Shift(bool first) : carry_(first) {}
  std::uint64_t operator()(std::uint64_t bits) {
    const std::uint64_t out = bits << 1 | carry_;
    carry_ = bits >> 63;
    return out;
  }

 private:
  std::uint64_t carry_;
};

// A name with a number of one or two digits at its end, which may be part of it: eth0, ipv6, worker12. Longer
// ones that could be hexadecimal are numbers.
inline bool is_numbered(const char* word, std::size_t size) {
  if (size < 2 || size > 10 || class_of(word[0]) & kDigit || !(class_of(word[size - 1]) & kDigit)) return false;
  const std::size_t letters = size - (class_of(word[size - 2]) & kDigit ? 2 : 1);
  if (letters == 0) return false;
  bool hex = true;
  for (std::size_t i = 0; i < letters; ++i) {
    const char low = static_cast<char>(word[i] | 0x20);
    if (low < 'a' || low > 'z') return false;
    hex = hex && low <= 'f';
  }
  return !hex || size < 4;
}

// The first two figures of a hardware address, where they are letters: bc:5c:50.
inline bool begins_address(const char* word, std::size_t size, std::size_t left) {
  return size == 2 && left >= 8 && word[2] == ':' && word[5] == ':' && all_hex(word, 2) && all_hex(word + 3, 2) && all_hex(word + 6, 2);
}

std::size_t mask(std::string_view text, Skeleton& out, bool keeps_numbered) {
  const Message message(text);
  std::size_t size = text.size();
  Tokens tokens(out.bytes.data());
  Shift behind_stop(true), behind_slash(false);
  Sum to_slash, to_end;
  std::size_t begin = 0;  // of the word
  for (std::size_t at = 0; at <= size; at += 64) {
    Classes found = message.classes(at);
    if (at + 64 > size) {  // the end is a stop, the last one
      const std::uint64_t end = std::uint64_t{1} << (size - at), inside = end - 1;
      found.stops = (found.stops & inside) | end;
      found.delimiters &= inside;
      found.newlines &= inside;
    }
    if (found.newlines) {
      size = at + static_cast<std::size_t>(std::countr_zero(found.newlines));
      found.stops &= found.newlines ^ (found.newlines - 1);
    }
    const std::uint64_t words = ~found.stops;
    const std::uint64_t no_slashes = words & ~found.slashes;
    // A sum carries a bit through all ones that follow it: through a part of a path to the next slash,
    const std::uint64_t behind = behind_slash(found.slashes);
    const std::uint64_t second_slashes = found.slashes & (behind | to_slash(behind & no_slashes, no_slashes));
    // and from whatever makes a word variable to the stop at its end.
    const std::uint64_t marks = words & (found.digits | second_slashes | (found.roots & behind_stop(found.stops)));
    const std::uint64_t variables = to_end(marks, words);
    for (std::uint64_t stops = found.stops; stops && !tokens.is_full(); stops &= stops - 1) {
      const auto which = static_cast<std::size_t>(std::countr_zero(stops));
      const std::size_t end = at + which;
      if (end > begin) {
        if (variables >> which & 1) {
          if (keeps_numbered && is_numbered(message.at(begin), end - begin) && !goes_on(tokens, message.at(begin), end - begin)) {
            tokens.put(message.at(begin), end - begin);
          } else {
            tokens.put_variable();
          }
        } else if (begins_address(message.at(begin), end - begin, size - begin)) {
          tokens.put_variable();
        } else {
          put_word(message, begin, end - begin, tokens);
        }
      }
      begin = end + 1;
      if (found.delimiters >> which & 1 && !tokens.is_full()) tokens.put_delimiter(*message.at(end));
    }
  }
  out.size = tokens.used();
  return size;
}

}  // namespace
}  // namespace locard
