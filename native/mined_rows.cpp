#include "mined_rows.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace locard {

namespace {

// Released with what it holds, whatever happens.
template <typename Held>
struct Owned {
  Held held{};
  Owned() = default;
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (held.release) held.release(&held);
  }
};

template <typename T>
const T* buffer(const ArrowArray& array, std::int64_t which) {
  return static_cast<const T*>(array.buffers[which]);
}

bool is_there(const ArrowArray& array, std::int64_t row) {
  const auto* const bits = array.n_buffers ? buffer<std::uint8_t>(array, 0) : nullptr;
  return !bits || bits[(array.offset + row) >> 3] >> ((array.offset + row) & 7) & 1;
}

template <typename Offset>
std::string_view text_at(const ArrowArray& array, std::int64_t row) {
  const Offset* const ends = buffer<Offset>(array, 1) + array.offset + row;
  return {buffer<char>(array, 2) + ends[0], static_cast<std::size_t>(ends[1] - ends[0])};
}

// A text of at most 12 bytes stands in its 16, a longer one in one of the buffers that follow (Arrow 1.4).
std::string_view view_at(const ArrowArray& array, std::int64_t row) {
  const char* const view = buffer<char>(array, 1) + 16 * (array.offset + row);
  const auto number = [view](std::size_t at) { return static_cast<std::int32_t>(load<std::uint32_t>(view + at)); };
  const auto size = static_cast<std::size_t>(number(0));
  return size <= 12 ? std::string_view(view + 4, size) : std::string_view(buffer<char>(array, 2 + number(8)) + number(12), size);
}

using Reader = std::string_view (*)(const ArrowArray&, std::int64_t);

Reader reader_of(const ArrowSchema& schema) {
  const auto is = [](const ArrowSchema* child, std::string_view format) { return child && child->format == format; };
  if (std::string_view(schema.format) != "+s" || schema.n_children != 2 || !is(schema.children[0], "l")) return nullptr;
  if (is(schema.children[1], "u")) return text_at<std::int32_t>;
  if (is(schema.children[1], "U")) return text_at<std::int64_t>;
  return is(schema.children[1], "vu") ? view_at : nullptr;
}

void add(Templates& templates, const ArrowArray& rows, Reader text, BatchPart& part) {
  const ArrowArray &numbers = *rows.children[0], &messages = *rows.children[1];
  for (std::int64_t i = rows.offset; i < rows.offset + rows.length; ++i) {
    if (!is_there(messages, i) || !is_there(numbers, i)) continue;
    part.numbers.push_back(buffer<std::int64_t>(numbers, 1)[numbers.offset + i]);
    part.columns[0].codes.push_back(static_cast<std::uint16_t>(templates.add(text(messages, i)) + 1));
  }
}

}  // namespace

std::shared_ptr<const Batch> add_rows(Templates& templates, ArrowArrayStream& stream) {
  const auto check = [&stream](int failed) {
    if (!failed) return;
    const char* const why = stream.get_last_error ? stream.get_last_error(&stream) : nullptr;
    throw std::runtime_error(why ? why : "the stream failed");
  };
  Owned<ArrowSchema> schema;
  check(stream.get_schema(&stream, &schema.held));
  const Reader text = reader_of(schema.held);
  if (!text) throw std::runtime_error("not a stream of numbers and messages");
  auto batch = std::make_shared<Batch>();
  batch->fields.push_back({"said", Kind::kCodes});
  batch->parts.emplace_back();
  batch->parts[0].columns.emplace_back();
  while (true) {
    Owned<ArrowArray> rows;
    check(stream.get_next(&stream, &rows.held));
    if (!rows.held.release) return batch;
    add(templates, rows.held, text, batch->parts[0]);
  }
}

}  // namespace locard
