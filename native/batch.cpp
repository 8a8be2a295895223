#include "batch.h"

#include <cerrno>
#include <cstring>
#include <random>

namespace locard {

namespace {

constexpr std::size_t kFirstSlots = 64;

// Drawn once a process: a log cannot be written so that all its values collide.
const std::uint64_t kSeed = [] {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) ^ device();
}();

// Both halves of the product of two words.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint32_t hash(std::string_view text) {
  std::uint64_t h = kSeed ^ text.size();
  const char* p = text.data();
  std::size_t left = text.size();
  std::uint64_t word = 0;
  for (; left >= 8; p += 8, left -= 8) {
    std::memcpy(&word, p, 8);
    h = mix(h ^ word, 0x9E3779B97F4A7C15ULL);
  }
  word = 0;
  if (left) std::memcpy(&word, p, left);
  h = mix(h ^ word, 0xD6E8FEB86659FD93ULL);
  return static_cast<std::uint32_t>(h ^ (h >> 32));
}

// What one exported column points into, besides the batch.
struct Exported {
  std::shared_ptr<const Batch> batch;
  std::vector<std::uint8_t> validity;
  std::vector<std::int32_t> codes;  // nulls as 0
  std::vector<std::int32_t> offsets;
  std::string bytes;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> arrays;  // children, then dictionaries
  std::vector<ArrowArray*> children;
};

// Few different texts among many records: keep the dictionary, else write the texts out.
bool keeps_dictionary(const Column& column, std::size_t rows) {
  return !column.in_order && column.dictionary.size() * 2 <= rows;
}

void release_array(ArrowArray* array) {
  for (std::int64_t i = 0; i < array->n_children; ++i) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  }
  if (array->dictionary && array->dictionary->release) array->dictionary->release(array->dictionary);
  delete static_cast<std::shared_ptr<Exported>*>(array->private_data);
  array->release = nullptr;
}

// `owner` keeps the memory of all buffers alive until the array is released.
ArrowArray make_array(std::shared_ptr<Exported> owner, std::int64_t length, std::int64_t nulls) {
  ArrowArray array{};
  array.length = length;
  array.null_count = nulls;
  array.n_buffers = static_cast<std::int64_t>(owner->buffers.size());
  array.buffers = owner->buffers.data();
  array.release = release_array;
  array.private_data = new std::shared_ptr<Exported>(std::move(owner));
  return array;
}

std::int64_t fill_validity(const Column& column, std::size_t rows, Exported& out) {
  out.validity.assign((rows + 7) / 8, 0);
  std::int64_t nulls = static_cast<std::int64_t>(rows);
  for (std::size_t i = 0; i < column.codes.size(); ++i) {
    if (column.codes[i] < 0) continue;
    out.validity[i / 8] |= static_cast<std::uint8_t>(1U << (i % 8));
    --nulls;
  }
  return nulls;
}

ArrowArray export_column(const std::shared_ptr<const Batch>& batch, const Column& column) {
  const std::size_t rows = batch->rows();
  auto own = std::make_shared<Exported>();
  own->batch = batch;
  const std::int64_t nulls = fill_validity(column, rows, *own);
  const auto code = [&](std::size_t row) { return row < column.codes.size() ? column.codes[row] : -1; };
  if (keeps_dictionary(column, rows)) {
    own->codes.resize(rows);
    for (std::size_t i = 0; i < rows; ++i) own->codes[i] = code(i) < 0 ? 0 : code(i);
    own->buffers = {own->validity.data(), own->codes.data()};
    auto texts = std::make_shared<Exported>();
    texts->batch = batch;
    texts->buffers = {nullptr, column.dictionary.offsets().data(), column.dictionary.bytes().data()};
    own->arrays.push_back(make_array(texts, static_cast<std::int64_t>(column.dictionary.size()), 0));
    ArrowArray array = make_array(own, static_cast<std::int64_t>(rows), nulls);
    array.dictionary = &own->arrays.back();
    return array;
  }
  own->offsets.reserve(rows + 1);
  own->offsets.push_back(0);
  if (column.in_order) {
    for (std::size_t i = 0; i < rows; ++i) {
      own->offsets.push_back(code(i) < 0 ? own->offsets.back() : column.dictionary.offsets()[static_cast<std::size_t>(code(i)) + 1]);
    }
    own->buffers = {own->validity.data(), own->offsets.data(), column.dictionary.bytes().data()};
    return make_array(own, static_cast<std::int64_t>(rows), nulls);
  }
  own->bytes.reserve(column.dictionary.bytes().size());
  for (std::size_t i = 0; i < rows; ++i) {
    if (code(i) >= 0) own->bytes.append(column.dictionary.text(code(i)));
    own->offsets.push_back(static_cast<std::int32_t>(own->bytes.size()));
  }
  own->buffers = {own->validity.data(), own->offsets.data(), own->bytes.data()};
  return make_array(own, static_cast<std::int64_t>(rows), nulls);
}

ArrowArray export_batch(const std::shared_ptr<const Batch>& batch) {
  auto own = std::make_shared<Exported>();
  own->batch = batch;
  own->buffers = {nullptr};
  own->arrays.reserve(batch->columns.size() + 1);
  auto lines = std::make_shared<Exported>();
  lines->batch = batch;
  lines->buffers = {nullptr, batch->lines.data()};
  const auto rows = static_cast<std::int64_t>(batch->rows());
  own->arrays.push_back(make_array(lines, rows, 0));
  for (const auto& column : batch->columns) own->arrays.push_back(export_column(batch, *column));
  for (auto& array : own->arrays) own->children.push_back(&array);
  ArrowArray array = make_array(own, rows, 0);
  array.n_children = static_cast<std::int64_t>(own->children.size());
  array.children = own->children.data();
  return array;
}

struct SchemaNodes {
  std::shared_ptr<const Batch> batch;  // holds the names
  std::vector<ArrowSchema> nodes;      // children, then dictionaries
  std::vector<ArrowSchema*> children;
};

void release_leaf(ArrowSchema* schema) {
  if (schema->dictionary && schema->dictionary->release) schema->dictionary->release(schema->dictionary);
  delete static_cast<std::shared_ptr<SchemaNodes>*>(schema->private_data);
  schema->release = nullptr;
}

void release_schema(ArrowSchema* schema) {
  for (std::int64_t i = 0; i < schema->n_children; ++i) {
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
  }
  release_leaf(schema);
}

ArrowSchema make_schema(std::shared_ptr<SchemaNodes> owner, const char* format, const char* name) {
  ArrowSchema schema{};
  schema.format = format;
  schema.name = name;
  schema.flags = ARROW_FLAG_NULLABLE;
  schema.release = release_leaf;
  schema.private_data = new std::shared_ptr<SchemaNodes>(std::move(owner));
  return schema;
}

ArrowSchema export_schema(const std::shared_ptr<const Batch>& batch) {
  auto own = std::make_shared<SchemaNodes>();
  own->batch = batch;
  const std::size_t count = batch->columns.size() + 1;
  own->nodes.reserve(2 * count);  // pointers into it are kept
  own->nodes.push_back(make_schema(own, "l", "_n"));
  for (const auto& column : batch->columns) {
    const bool encoded = keeps_dictionary(*column, batch->rows());
    own->nodes.push_back(make_schema(own, encoded ? "i" : "u", column->name.c_str()));
  }
  for (std::size_t i = 1; i < count; ++i) {
    if (own->nodes[i].format[0] != 'i') continue;
    own->nodes.push_back(make_schema(own, "u", ""));
    own->nodes[i].dictionary = &own->nodes.back();
  }
  for (std::size_t i = 0; i < count; ++i) own->children.push_back(&own->nodes[i]);
  ArrowSchema schema = make_schema(own, "+s", "");
  schema.flags = 0;
  schema.n_children = static_cast<std::int64_t>(count);
  schema.children = own->children.data();
  schema.release = release_schema;
  return schema;
}

struct Stream {
  std::shared_ptr<const Batch> batch;
  bool done = false;
};

int get_schema(ArrowArrayStream* stream, ArrowSchema* out) try {
  *out = export_schema(static_cast<Stream*>(stream->private_data)->batch);
  return 0;
} catch (const std::exception&) {
  return ENOMEM;
}

int get_next(ArrowArrayStream* stream, ArrowArray* out) try {
  auto* state = static_cast<Stream*>(stream->private_data);
  *out = ArrowArray{};
  if (state->done || state->batch->rows() == 0) return 0;
  state->done = true;
  *out = export_batch(state->batch);
  return 0;
} catch (const std::exception&) {
  return ENOMEM;
}

const char* get_last_error(ArrowArrayStream*) { return "out of memory"; }

void release_stream(ArrowArrayStream* stream) {
  delete static_cast<Stream*>(stream->private_data);
  stream->release = nullptr;
}

}  // namespace

Dictionary::Dictionary() : offsets_{0}, slots_(kFirstSlots, 0) {}

std::string_view Dictionary::text(std::int32_t code) const {
  const auto at = static_cast<std::size_t>(code);
  return std::string_view(bytes_).substr(
      static_cast<std::size_t>(offsets_[at]), static_cast<std::size_t>(offsets_[at + 1] - offsets_[at]));
}

std::int32_t Dictionary::code(std::string_view text) {
  if (last_ >= 0 && this->text(last_) == text) return last_;  // values come in runs
  const std::uint32_t h = hash(text);
  std::size_t mask = slots_.size() - 1;
  std::size_t at = h & mask;
  for (; slots_[at]; at = (at + 1) & mask) {
    const std::int32_t found = slots_[at] - 1;
    if (hashes_[static_cast<std::size_t>(found)] == h && this->text(found) == text) return last_ = found;
  }
  if (size() * 2 >= slots_.size()) {
    grow();
    mask = slots_.size() - 1;
    for (at = h & mask; slots_[at]; at = (at + 1) & mask) {
    }
  }
  bytes_.append(text);
  offsets_.push_back(static_cast<std::int32_t>(bytes_.size()));
  hashes_.push_back(h);
  slots_[at] = static_cast<std::int32_t>(size());
  return last_ = static_cast<std::int32_t>(size()) - 1;
}

std::int32_t Dictionary::find(std::string_view text) const {
  const std::uint32_t h = hash(text);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = h & mask; slots_[at]; at = (at + 1) & mask) {
    const std::int32_t found = slots_[at] - 1;
    if (hashes_[static_cast<std::size_t>(found)] == h && this->text(found) == text) return found;
  }
  return -1;
}

std::int32_t Dictionary::append(std::string_view text) {
  bytes_.append(text);
  offsets_.push_back(static_cast<std::int32_t>(bytes_.size()));
  return static_cast<std::int32_t>(size()) - 1;
}

void Dictionary::grow() {
  const std::size_t count = slots_.size() * 2;
  slots_.assign(count, 0);
  for (std::size_t i = 0; i < hashes_.size(); ++i) {
    std::size_t at = hashes_[i] & (count - 1);
    while (slots_[at]) at = (at + 1) & (count - 1);
    slots_[at] = static_cast<std::int32_t>(i) + 1;
  }
}

void Column::set(std::size_t row, std::string_view text) {
  codes.resize(row, -1);
  if (dictionary.size() == 0) in_order = plain;
  codes.push_back(plain ? dictionary.append(text) : dictionary.code(text));
  if (!plain && dictionary.size() == few) plain = is_diverse();
}

bool Column::is_diverse() const { return dictionary.size() >= few && dictionary.size() * 2 > codes.size(); }

void export_stream(std::shared_ptr<const Batch> batch, ArrowArrayStream* out) {
  *out = ArrowArrayStream{};
  out->get_schema = get_schema;
  out->get_next = get_next;
  out->get_last_error = get_last_error;
  out->release = release_stream;
  out->private_data = new Stream{std::move(batch)};
}

}  // namespace locard
