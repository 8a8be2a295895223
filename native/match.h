// The matching of lines against a layout, for one width of vectors. Included by one source file for
// each instruction set; everything is in an unnamed namespace, as each file needs its own.
#pragma once

#include <cstdint>
#include <cstring>

#include "layout.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace locard {
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

// A scalar value at `p`; its end, null where it needs a closer look.
inline const char* value(const char* p, const char* text_end, Piece& out) {
  switch (*p) {
    case '"': {
      const char* const begin = ++p;
      for (;; p += 32) {
        if (p >= text_end) return nullptr;
        const Mask found = Bytes(p).special();
        if (!found) continue;
        p += __builtin_ctz(found);
        if (*p != '"') return nullptr;
        out.begin = begin;
        out.size = static_cast<std::uint32_t>(p - begin);
        out.type = Piece::kString;
        return p + 1;
      }
    }
    case 't':
      out.type = Piece::kTrue;
      return std::memcmp(p, "true", 4) ? nullptr : p + 4;
    case 'f':
      out.type = Piece::kFalse;
      return std::memcmp(p, "false", 5) ? nullptr : p + 5;
    case 'n':
      out.type = Piece::kNull;
      return std::memcmp(p, "null", 4) ? nullptr : p + 4;
    default:
      return number(p, out);
  }
}

// The first place of the literal (4 bytes or more) on the line, null if there is none or if a brace or a bracket,
// which may hold the same key, comes before.
inline const char* find_key(const char* p, const char* text_end, const char* literal, std::size_t size) {
  for (; p < text_end; p += 32) {
    const Bytes bytes(p);
    const Mask stop = bytes.equal('\n') | bytes.equal('{') | bytes.equal('[');
    Mask found = bytes.equal(literal[1]) & Bytes(p + 2).equal(literal[3]) & Bytes(p + 1).equal(literal[2]);
    while (found) {
      const int at = __builtin_ctz(found);
      if (stop && at > __builtin_ctz(stop)) return nullptr;
      if (has_room(p + at - 1, text_end, size) && same(p + at - 1, literal, size)) return p + at - 1;
      found &= found - 1;
    }
    if (stop) return nullptr;
  }
  return nullptr;
}

// The end of the line if it ends in a closing brace and holds no other brace or bracket from here.
inline const char* find_end(const char* p, const char* text_end) {
  for (; p < text_end; p += 32) {
    const Bytes bytes(p);
    const Mask newline = bytes.equal('\n');
    const Mask open = bytes.equal('{') | bytes.equal('[');
    if (!(newline | open)) continue;
    const int at = __builtin_ctz(newline | open);
    return newline >> at & 1 && p + at < text_end ? p + at : nullptr;
  }
  return nullptr;
}

bool match(const Layout& layout, const char* p, const char* text_end, Piece* pieces, const char** line_end) {
  const char* const text = layout.text.data();
  const std::size_t count = layout.slots.size();
  for (std::size_t i = 0; i < count; ++i) {
    const Layout::Slot& slot = layout.slots[i];
    if (slot.next) {
      const Layout::Slot& next = layout.slots[slot.next];
      p = find_key(p + (i == 0), text_end, text + next.at, next.size);  // behind the first brace
      if (!p) return false;
      i = slot.next;
      p = value(p + next.size, text_end, pieces[i]);
      if (!p) return false;
      continue;
    }
    if (!has_room(p, text_end, slot.size) || !same(p, text + slot.at, slot.size)) return false;
    p = value(p + slot.size, text_end, pieces[i]);
    if (!p) return false;
  }
  if (layout.ends_early) {
    const char* end = find_end(p, text_end);
    if (!end) return false;
    *line_end = end;
    if (end[-1] == '\r') --end;
    return end[-1] == '}';
  }
  if (!has_room(p, text_end, layout.after_size) || !same(p, text + layout.after_at, layout.after_size)) return false;
  p += layout.after_size;
  if (*p == '\r') ++p;
  *line_end = p;
  return p < text_end && *p == '\n';
}

}  // namespace
}  // namespace locard
