// The taking of steps, for one width of vectors. Included by one source file for
// each instruction set; everything is in an unnamed namespace, as each file needs its own.
#pragma once

#include <cstdint>
#include <cstring>

#include "steps.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace locard {

// Defined once, for no special processor: whether the text is one JSON value.
bool is_sound(const char* begin, const char* end);

namespace {

// Bit i of a mask is byte i of 32.
using Mask = std::uint32_t;

#if defined(__AVX2__)
struct Bytes {
  __m256i all;
  explicit Bytes(const char* p) : all(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))) {}
  Mask equal(const Bytes& other) const { return Mask(_mm256_movemask_epi8(_mm256_cmpeq_epi8(all, other.all))); }
  Mask equal(char c) const { return Mask(_mm256_movemask_epi8(_mm256_cmpeq_epi8(all, _mm256_set1_epi8(c)))); }
  // A quote, a backslash or a control character.
  Mask special() const {
    const __m256i quote = _mm256_cmpeq_epi8(all, _mm256_set1_epi8('"'));
    const __m256i slash = _mm256_cmpeq_epi8(all, _mm256_set1_epi8('\\'));
    const __m256i low = _mm256_set1_epi8(0x1F);
    const __m256i control = _mm256_cmpeq_epi8(_mm256_max_epu8(all, low), low);
    return Mask(_mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quote, slash), control)));
  }
};
#elif defined(__SSE2__)
struct Bytes {
  __m128i low, high;
  explicit Bytes(const char* p)
      : low(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
        high(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16))) {}
  static Mask both(__m128i a, __m128i b) { return Mask(_mm_movemask_epi8(a)) | Mask(_mm_movemask_epi8(b)) << 16; }
  Mask equal(const Bytes& o) const { return both(_mm_cmpeq_epi8(low, o.low), _mm_cmpeq_epi8(high, o.high)); }
  Mask equal(char c) const {
    const __m128i all = _mm_set1_epi8(c);
    return both(_mm_cmpeq_epi8(low, all), _mm_cmpeq_epi8(high, all));
  }
  static __m128i special(__m128i v) {
    const __m128i limit = _mm_set1_epi8(0x1F);
    const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(v, limit), limit);
    const __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    return _mm_or_si128(_mm_or_si128(quote, control), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
  }
  Mask special() const { return both(special(low), special(high)); }
};
#else
struct Bytes {
  unsigned char all[32];
  explicit Bytes(const char* p) { std::memcpy(all, p, 32); }
  template <typename Test>
  Mask where(Test test) const {
    Mask mask = 0;
    for (int i = 0; i < 32; ++i) mask |= Mask{test(i)} << i;
    return mask;
  }
  Mask equal(const Bytes& o) const { return where([&](int i) { return all[i] == o.all[i]; }); }
  Mask equal(char c) const { return where([&](int i) { return all[i] == static_cast<unsigned char>(c); }); }
  Mask special() const { return where([&](int i) { return all[i] == '"' || all[i] == '\\' || all[i] < 0x20; }); }
};
#endif

inline bool same(const char* a, const char* b, std::size_t size) {
  for (; size > 32; a += 32, b += 32, size -= 32) {
    if (~Bytes(a).equal(Bytes(b))) return false;
  }
  const Mask wanted = size == 32 ? ~Mask{0} : (Mask{1} << size) - 1;
  return (Bytes(a).equal(Bytes(b)) & wanted) == wanted;
}

// Whether so many bytes are left: a long literal may equal the text up to its very end.
inline bool has_room(const char* p, const char* text_end, std::size_t size) {
  return text_end - p >= static_cast<std::ptrdiff_t>(size);
}

constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                              1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// A number of at most 18 digits without an exponent, exactly: a quotient of two exact doubles is
// the nearest double (Clinger, PLDI 1990). Returns its end, null for any other.
inline const char* number(const char* p, Piece& out) {
  const char* const begin = p;
  const bool negative = *p == '-';
  p += negative;
  const char* const digits = p;
  std::uint64_t value = 0;
  for (; is_digit(*p) && p - digits < 19; ++p) value = value * 10 + static_cast<std::uint64_t>(*p - '0');
  const auto whole = p - digits;
  if (whole == 0 || whole > 18 || (*digits == '0' && whole > 1)) return nullptr;
  out.begin = begin;
  if (*p != '.') {
    if (*p == 'e' || *p == 'E' || (negative && value == 0)) return nullptr;
    out.type = Piece::kInteger;
    out.size = static_cast<std::uint32_t>(p - begin);
    out.integer = negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
    return p;
  }
  const char* const fraction = ++p;
  for (; is_digit(*p) && p - fraction < 19; ++p) value = value * 10 + static_cast<std::uint64_t>(*p - '0');
  const auto digits_behind = p - fraction;
  if (digits_behind == 0 || whole + digits_behind > 18 || value >= std::uint64_t{1} << 53 || *p == 'e' || *p == 'E' ||
      (negative && value == 0)) {
    return nullptr;
  }
  out.type = Piece::kDecimal;
  out.size = static_cast<std::uint32_t>(p - begin);
  const double size = static_cast<double>(value) / kPowers[digits_behind];
  out.decimal = negative ? -size : size;
  return p;
}

inline bool is_hex(char c) { return is_digit(c) || static_cast<unsigned char>((c | 0x20) - 'a') < 6; }

// The end of an escape that begins at `p`; null if there is no such.
inline const char* escape(const char* p) {
  switch (p[1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
      return p + 2;
    case 'u':
      return is_hex(p[2]) && is_hex(p[3]) && is_hex(p[4]) && is_hex(p[5]) ? p + 6 : nullptr;
    default:
      return nullptr;
  }
}

// Behind the string whose first character is at `p`; null if it is none.
inline const char* string(const char* p, const char* text_end, Piece& out) {
  out.begin = p;
  out.type = Piece::kString;
  while (p < text_end) {
    const Mask found = Bytes(p).special();
    if (!found) {
      p += 32;
      continue;
    }
    p += __builtin_ctz(found);
    if (*p == '"') {
      out.size = static_cast<std::uint32_t>(p - out.begin);
      return p < text_end ? p + 1 : nullptr;
    }
    if (*p != '\\' || !(p = escape(p))) return nullptr;
    out.type = Piece::kEscaped;
  }
  return nullptr;
}

// Behind the array or object that begins at `p`, if it ends on the line: whether it is sound is not known.
inline const char* raw_end(const char* p, const char* text_end) {
  std::size_t depth = 0;
  Piece inside;
  while (p < text_end) {
    switch (*p++) {
      case '"':
        p = string(p, text_end, inside);
        if (!p) return nullptr;
        break;
      case '[': case '{':
        ++depth;
        break;
      case ']': case '}':
        if (--depth == 0) return p;
        break;
      case '\n':
        return nullptr;
      default:
        break;
    }
  }
  return nullptr;
}

// Behind the value at `p`, null where it needs a closer look.
inline const char* value(const char* p, const char* text_end, bool is_opaque, Piece& out) {
  switch (*p) {
    case '"':
      return string(p + 1, text_end, out);
    case 't':
      out.type = Piece::kTrue;
      return std::memcmp(p, "true", 4) ? nullptr : p + 4;
    case 'f':
      out.type = Piece::kFalse;
      return std::memcmp(p, "false", 5) ? nullptr : p + 5;
    case 'n':
      out.type = Piece::kNull;
      return std::memcmp(p, "null", 4) ? nullptr : p + 4;
    case '{':
      if (!is_opaque && p[1] != '}') return nullptr;
      [[fallthrough]];
    case '[': {
      out.type = Piece::kRaw;
      out.begin = p;
      const char* const end = p[1] == *p + 2 ? p + 2 : raw_end(p, text_end);
      if (!end || (end > p + 2 && !is_sound(p, end))) return nullptr;
      out.size = static_cast<std::uint32_t>(end - p);
      return end;
    }
    default:
      return number(p, out);
  }
}

// Whether the text at `p` begins as a step does; most others begin otherwise.
inline bool may_take(const Step& step, const char* p) {
  std::uint64_t head;
  std::memcpy(&head, p + Step::kHeadAt, sizeof head);
  return (head & step.mask) == step.head;
}

// Goes a step from `p`: its end, or behind the value that it leads to. Null if it is not taken here.
inline const char* go(const Step& step, const char* text, const char* p, const char* text_end, Piece& out) {
  if (!has_room(p, text_end, step.size) || !same(p, text + step.at, step.size)) return nullptr;
  return step.to == Step::kEnd ? p + step.size : value(p + step.size, text_end, step.is_opaque, out);
}

bool match(Steps& steps, const char* p, const char* text_end, Piece* pieces, std::size_t* count, const char** line_end) {
  if (steps.all.empty()) return false;
  Step* const all = steps.all.data();
  const char* const text = steps.text.data();
  const std::uint32_t* const keys = steps.keys.data();
  std::uint64_t* const seen = steps.seen.data();
  const std::uint64_t line = ++steps.line;
  std::uint32_t* likely = &steps.first;
  std::uint32_t object = 0;
  for (std::size_t i = 0; i < Steps::kMostPieces;) {
    std::uint32_t which = *likely;
    const char* end = go(all[which], text, p, text_end, pieces[i]);
    if (!end) {
      const auto& others = steps.from[object];
      for (std::size_t k = 0; k < others.size() && !end; ++k) {
        which = others[k];
        if (may_take(all[which], p)) end = go(all[which], text, p, text_end, pieces[i]);
      }
      if (!end) return false;
      *likely = which;
    }
    p = end;
    Step& step = all[which];
    if (step.to == Step::kEnd) {
      *count = i;
      if (*p == '\r') ++p;
      *line_end = p;
      return p < text_end && *p == '\n';
    }
    for (std::uint32_t k = step.keys_at; k < step.keys_at + step.keys; ++k) {
      if (seen[keys[k]] == line) return false;
      seen[keys[k]] = line;
    }
    pieces[i].step = which;
    i += step.is_wanted;
    object = step.to;
    likely = &step.next;
  }
  return false;
}

}  // namespace
}  // namespace locard
