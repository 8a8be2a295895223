#include "column.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "json_text.h"
#include "room.h"

namespace locard {

namespace {

bool is_large(std::int64_t value) { return std::abs(static_cast<double>(value)) >= kMostDouble; }

}  // namespace

Form Form::joined(const Form& other) const {
  Form out = *this;
  if (kind == Kind::kCodes) return other;
  if (other.kind == Kind::kCodes || kind == Kind::kTexts) return out;
  Form texts;
  texts.kind = Kind::kTexts;
  const auto is_number = [](Kind k) { return k == Kind::kIntegers || k == Kind::kDoubles; };
  if (kind == other.kind) {
    out.large |= other.large;
    out.bare |= other.bare;
    out.point |= other.point;
    out.dashed |= other.dashed;
    out.plain |= other.plain;
    if (kind == Kind::kTimes && !out.time.merge(other.time)) return texts;
  } else if (is_number(kind) && is_number(other.kind) && !large && !other.large) {
    out.kind = Kind::kDoubles;
    out.bare |= other.bare || kind == Kind::kIntegers || other.kind == Kind::kIntegers;
    out.point |= other.point;
  } else {
    return texts;
  }
  return (out.bare && out.point) || (out.dashed && out.plain) ? texts : out;
}

bool Form::takes(std::string_view text) {
  std::int64_t integer = 0;
  switch (kind) {
    case Kind::kIntegers:
      if (!parse_integer(text, integer)) return false;
      large |= is_large(integer);
      return true;
    case Kind::kDoubles: {
      double value = 0;
      bool whole = false, pointed = false;
      if (!parse_double(text, value, whole, pointed)) return false;
      bare |= whole && !pointed;
      point |= pointed;
      return !(bare && point);
    }
    case Kind::kTimes: {
      TimeForm seen;
      return parse_time(text, integer, seen) && time.merge(seen);
    }
    case Kind::kIds: {
      Id id;
      bool with_dashes = false;
      if (!parse_id(text, id, with_dashes)) return false;
      dashed |= with_dashes;
      plain |= !with_dashes;
      return !(dashed && plain);
    }
    default:
      return true;
  }
}

template <typename T>
void Column::place(std::vector<T>& values, std::size_t row, T none, T value) {
  if (values.size() < row) values.resize(row, none);
  if (values.size() == row) {
    values.push_back(value);
  } else {
    values[row] = value;
  }
}

bool Column::has(std::size_t row) const {
  switch (form_.kind) {
    case Kind::kCodes:
      return row < codes.size() && codes[row];
    case Kind::kIntegers:
    case Kind::kTimes:
      return row < integers.size() && integers[row] != kNone;
    case Kind::kDoubles:
      return row < doubles.size() && std::bit_cast<std::uint64_t>(doubles[row]) != kNoDouble;
    case Kind::kIds:
      return row < has_id.size() && has_id[row];
    default:
      return row < ends.size() && ends[row];
  }
}

std::size_t Column::count() const {
  std::size_t found = 0;
  switch (form_.kind) {
    case Kind::kCodes:
      for (const std::uint32_t code : codes) found += code != 0;
      return found;
    case Kind::kTexts:
      for (const std::uint32_t end : ends) found += end != 0;
      return found;
    default: {
      const std::size_t rows = std::max({integers.size(), doubles.size(), ids.size()});
      for (std::size_t row = 0; row < rows; ++row) found += has(row);
      return found;
    }
  }
}

void Column::set_integer(std::size_t row, std::int64_t value, std::string_view text) {
  used = true;
  if (form_.kind == Kind::kCodes) {
    set_code(row, text);
  } else if (form_.kind == Kind::kIntegers) {
    form_.large |= is_large(value);
    place(integers, row, kNone, value);
  } else {
    put(row, text);
  }
}

void Column::set_decimal(std::size_t row, double value, std::string_view token) {
  const double size = std::abs(value);
  const bool whole = value == std::trunc(value);
  if (form_.kind == Kind::kDoubles && size >= kLeastDouble && size < kMostDouble && !(whole && form_.bare)) {
    used = true;
    form_.point |= whole;
    return place(doubles, row, std::bit_cast<double>(kNoDouble), value);
  }
  thread_local std::string canonical;
  canonical.clear();
  append_number(token, canonical);
  set_text(row, canonical);
}

void Column::set_text(std::size_t row, std::string_view text) {
  used = true;
  if (form_.kind == Kind::kCodes) {
    set_code(row, text);
  } else {
    put(row, text);
  }
}

void Column::set_code(std::size_t row, std::string_view text) {
  ++values_;
  if (!last_ || !same_text(dictionary_.text(static_cast<std::int32_t>(last_ - 1)), text)) {
    last_ = static_cast<std::uint32_t>(dictionary_.code(text)) + 1;
  }
  place(codes, row, std::uint32_t{0}, last_);
  if (dictionary_.byte_count() > kMostBytes) return settle(row + 1);
  const std::size_t size = dictionary_.size();
  if (size >= few_ && size >= 2 * looked_) {
    looked_ = size;
    // Most of them different: looking for equal ones costs more than it saves.
    if (2 * size > values_ || size >= kMost) settle(row + 1);
  }
}

void Column::put(std::size_t row, std::string_view text) {
  std::int64_t integer = 0;
  switch (form_.kind) {
    case Kind::kIntegers:
      if (!parse_integer(text, integer)) break;
      form_.large |= is_large(integer);
      return place(integers, row, kNone, integer);
    case Kind::kDoubles: {
      double value = 0;
      bool whole = false, pointed = false;
      if (!parse_double(text, value, whole, pointed) || (whole && !pointed && form_.point) || (pointed && form_.bare)) break;
      form_.bare |= whole && !pointed;
      form_.point |= pointed;
      return place(doubles, row, std::bit_cast<double>(kNoDouble), value);
    }
    case Kind::kTimes: {
      TimeForm seen;
      if (!parse_time(text, integer, seen)) break;
      TimeForm merged = form_.time;
      if (!merged.merge(seen)) break;
      form_.time = std::move(merged);
      return place(integers, row, kNone, integer);
    }
    case Kind::kIds: {
      Id id;
      bool dashed = false;
      if (!parse_id(text, id, dashed) || dashed != form_.dashed) break;
      place(ids, row, Id{}, id);
      has_id.resize(row);
      has_id.push_back(true);
      return;
    }
    default:
      break;
  }
  if (form_.kind != Kind::kTexts) {
    // A number among dates: from here on they are texts. A whole number among integers is a double.
    Form wider = form_;
    if (form_.kind == Kind::kIntegers && !form_.large) {
      wider.kind = Kind::kDoubles;
      wider.bare = true;
      if (wider.takes(text)) {
        change(wider, row);
        return put(row, text);
      }
    }
    wider = Form{};
    wider.kind = Kind::kTexts;
    change(wider, row);
  }
  grow(bytes, text.size());
  bytes.append(text);
  place(ends, row, std::uint32_t{0}, static_cast<std::uint32_t>(bytes.size()) + 1);
}

// Leaves the dictionary: the first form that takes all its texts.
void Column::settle(std::size_t rows) {
  for (const Kind kind : {Kind::kIntegers, Kind::kDoubles, Kind::kTimes, Kind::kIds, Kind::kTexts}) {
    Form form;
    form.kind = kind;
    bool takes = true;
    for (std::size_t i = 0; i < dictionary_.size() && takes; ++i) {
      takes = form.takes(dictionary_.text(static_cast<std::int32_t>(i)));
    }
    if (takes) return change(form, rows);
  }
}

void Column::change(const Form& form, std::size_t rows) {
  if (form.kind == form_.kind) {
    form_ = form;
    return;
  }
  Column other(few_);
  other.form_ = form;
  std::string text;
  for (std::size_t row = 0; used && row < rows; ++row) {
    if (!has(row)) continue;
    text.clear();
    append_text(row, text);
    other.set_text(row, text);
  }
  other.used = used;
  *this = std::move(other);
}

void Column::append_text(std::size_t row, std::string& out) const {
  switch (form_.kind) {
    case Kind::kCodes:
      out.append(dictionary_.text(static_cast<std::int32_t>(codes[row] - 1)));
      return;
    case Kind::kIntegers:
      out.append(std::to_string(integers[row]));
      return;
    case Kind::kDoubles:
      if (form_.bare && doubles[row] == std::trunc(doubles[row])) {
        out.append(std::to_string(static_cast<std::int64_t>(doubles[row])));
      } else {
        append_double(doubles[row], out);
      }
      return;
    case Kind::kTimes:
      return append_time(integers[row], form_.time, out);
    case Kind::kIds:
      return append_id(ids[row], form_.dashed, out);
    default: {
      std::size_t begin = 0;
      for (std::size_t i = row; i-- > 0 && !begin;) begin = ends[i];
      out.append(bytes, begin ? begin - 1 : 0, ends[row] - 1 - (begin ? begin - 1 : 0));
    }
  }
}

std::uint64_t Column::hash(std::size_t row) const {
  const auto of = [](const auto& value) { return hash_of({reinterpret_cast<const char*>(&value), sizeof value}); };
  switch (form_.kind) {
    case Kind::kIntegers:
      return is_large(integers[row]) ? of(integers[row]) : of(static_cast<double>(integers[row]));
    case Kind::kDoubles:
      return of(doubles[row]);
    case Kind::kTimes:
      return of(integers[row]);
    case Kind::kIds:
      return of(ids[row]);
    default: {
      std::string text;
      append_text(row, text);
      return hash_of(text);
    }
  }
}

void Column::clear() {
  codes.clear();
  integers.clear();
  doubles.clear();
  ids.clear();
  has_id.clear();
  ends.clear();
  bytes.clear();
  used = false;
}

}  // namespace locard
