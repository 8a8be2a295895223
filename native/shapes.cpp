// What a lane finds out about the texts of a block, once it is read.
#include <algorithm>

#include "endpoint.h"
#include "lane.h"

namespace locard {

namespace {

constexpr std::int32_t kUnknown = -2;
constexpr double kMostlyPaths = 0.9;

// Calls `found(row, text)` for the rows of a column from `from` on; `text` is valid until the next.
template <typename Found>
void each_text(const Column& column, std::size_t from, std::size_t rows, Found found) {
  if (column.form().kind != Kind::kTexts) {
    std::string text;
    for (std::size_t row = from; row < rows; ++row) {
      if (!column.has(row)) continue;
      text.clear();
      column.append_text(row, text);
      found(row, text);
    }
    return;
  }
  const auto& ends = column.ends;
  std::size_t begin = 0;
  for (std::size_t i = std::min(from, ends.size()); i-- > 0 && !begin;) begin = ends[i];
  begin = begin ? begin - 1 : 0;
  for (std::size_t row = from; row < std::min(rows, ends.size()); ++row) {
    if (!ends[row]) continue;
    const std::size_t end = ends[row] - 1;
    found(row, std::string_view(column.bytes.data() + begin, end - begin));
    begin = end;
  }
}

bool are_paths(const Column& column, std::size_t from, std::size_t rows) {
  std::size_t seen = 0, paths = 0;
  each_text(column, from, std::min(rows, from + 200), [&](std::size_t, std::string_view text) {
    ++seen;
    paths += is_endpoint(text);
  });
  return seen > 0 && static_cast<double>(paths) >= kMostlyPaths * static_cast<double>(seen);
}

}  // namespace

void Lane::look() {
  for (Field& field : fields) {
    if (field.column.used) look_at(field);
  }
  first_blocks.resize(templates.size(), chunks.back().number);
}

void Lane::look_at(Field& field) {
  const Column& column = field.column;
  const Kind kind = column.form().kind;
  if (kind == Kind::kTexts && !field.message && !field.path && field.sketched == 0) {
    field.path = are_paths(column, field.shaped, rows());
  }
  const bool has_shapes = field.message || field.path;
  const auto sketch = [&](std::size_t row, std::string_view text) {
    if (kind == Kind::kTexts && row >= field.sketched) field.sketch.add(hash_of(text), text);
  };
  // Texts that have a shape already, or need none; the others are sketched on the way to theirs.
  if (kind == Kind::kTexts) each_text(column, field.sketched, has_shapes ? field.shaped : rows(), sketch);
  if (has_shapes) field.shapes.resize(rows(), 0);
  if (field.message && kind == Kind::kCodes) {
    count_codes(field);
  } else if (field.message) {
    each_text(column, field.shaped, rows(), [&](std::size_t row, std::string_view text) {
      field.shapes[row] = static_cast<std::uint32_t>(templates.add(text) + 1);
      sketch(row, text);
    });
  } else if (field.path) {
    std::string endpoint;
    each_text(column, field.shaped, rows(), [&](std::size_t row, std::string_view text) {
      endpoint.clear();
      append_endpoint(text, endpoint);
      const bool full = field.endpoints.size() >= Column::kMost || field.endpoints.byte_count() > Column::kMostBytes;
      const std::int32_t code = full ? field.endpoints.find(endpoint) : field.endpoints.code(endpoint);
      field.shapes[row] = static_cast<std::uint32_t>(code + 1);
      sketch(row, text);
    });
  }
  if (has_shapes) field.shaped = rows();
  if (kind == Kind::kCodes) return;
  for (std::size_t row = field.sketched; kind != Kind::kTexts && row < rows(); ++row) {
    if (column.has(row)) field.sketch.add(column.hash(row));
  }
  field.sketched = rows();
}

// Of few different messages each is looked at once.
void Lane::count_codes(Field& field) {
  const Column& column = field.column;
  for (std::size_t row = field.shaped; row < std::min(rows(), column.codes.size()); ++row) {
    if (!column.codes[row]) continue;
    const std::size_t code = column.codes[row] - 1;
    if (code >= field.shape_of_code.size()) field.shape_of_code.resize(code + 1, kUnknown);
    std::int32_t& known = field.shape_of_code[code];
    if (known == kUnknown) {
      known = templates.add(column.text_of_code(static_cast<std::int32_t>(code)));
    } else {
      templates.count(known);
    }
    field.shapes[row] = static_cast<std::uint32_t>(known + 1);
  }
}

}  // namespace locard
