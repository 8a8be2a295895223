#include "batch.h"

#include <cerrno>
#include <cstring>

namespace locard {

namespace {

// What an exported array points into.
struct Exported {
  std::shared_ptr<const Batch> batch;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> arrays;
  std::vector<ArrowArray*> children;
};

void release_array(ArrowArray* array) {
  for (std::int64_t i = 0; i < array->n_children; ++i) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  }
  delete static_cast<std::shared_ptr<Exported>*>(array->private_data);
  array->release = nullptr;
}

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

ArrowArray export_column(const std::shared_ptr<const Batch>& batch, const OutColumn& column, Kind kind, std::int64_t rows) {
  auto own = std::make_shared<Exported>();
  own->batch = batch;
  const void* validity = column.validity.empty() ? nullptr : column.validity.data();
  switch (kind) {
    case Kind::kCodes:
      own->buffers = {nullptr, column.codes.data()};
      break;
    case Kind::kIntegers:
    case Kind::kTimes:
      own->buffers = {validity, column.integers.data()};
      break;
    case Kind::kDoubles:
      own->buffers = {validity, column.doubles.data()};
      break;
    case Kind::kIds:
      own->buffers = {validity, column.ids.data()};
      break;
    case Kind::kTexts:
      own->buffers = {validity, column.offsets.data(), column.bytes.data()};
      break;
  }
  return make_array(std::move(own), rows, column.nulls);
}

ArrowArray export_part(const std::shared_ptr<const Batch>& batch, const BatchPart& part) {
  auto own = std::make_shared<Exported>();
  own->batch = batch;
  own->buffers = {nullptr};
  own->arrays.reserve(batch->fields.size() + 1);
  auto numbers = std::make_shared<Exported>();
  numbers->batch = batch;
  numbers->buffers = {nullptr, part.numbers.data()};
  const auto rows = static_cast<std::int64_t>(part.numbers.size());
  own->arrays.push_back(make_array(std::move(numbers), rows, 0));
  for (std::size_t i = 0; i < batch->fields.size(); ++i) {
    own->arrays.push_back(export_column(batch, part.columns[i], batch->fields[i].kind, rows));
  }
  for (auto& array : own->arrays) own->children.push_back(&array);
  ArrowArray array = make_array(own, rows, 0);
  array.n_children = static_cast<std::int64_t>(own->children.size());
  array.children = own->children.data();
  return array;
}

struct SchemaNodes {
  std::shared_ptr<const Batch> batch;  // holds the names
  std::vector<ArrowSchema> nodes;
  std::vector<ArrowSchema*> children;
};

void release_leaf(ArrowSchema* schema) {
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

const char* format_of(Kind kind) {
  switch (kind) {
    case Kind::kCodes:
      return "S";
    case Kind::kIntegers:
    case Kind::kTimes:
      return "l";
    case Kind::kDoubles:
      return "g";
    case Kind::kIds:
      return "w:16";
    default:
      return "u";
  }
}

// The extension type arrow.uuid, in the encoding of the C data interface (native byte order).
const char* uuid_metadata() {
  static const std::string text = [] {
    std::string out;
    const auto number = [&](std::int32_t n) { out.append(reinterpret_cast<const char*>(&n), sizeof n); };
    const auto put = [&](std::string_view s) {
      number(static_cast<std::int32_t>(s.size()));
      out.append(s);
    };
    number(1);
    put("ARROW:extension:name");
    put("arrow.uuid");
    return out;
  }();
  return text.data();
}

ArrowSchema export_schema(const std::shared_ptr<const Batch>& batch) {
  auto own = std::make_shared<SchemaNodes>();
  own->batch = batch;
  own->nodes.reserve(batch->fields.size() + 1);  // pointers into it are kept
  own->nodes.push_back(make_schema(own, "l", "_n"));
  for (const BatchField& field : batch->fields) {
    own->nodes.push_back(make_schema(own, format_of(field.kind), field.name.c_str()));
    if (field.kind == Kind::kIds) own->nodes.back().metadata = uuid_metadata();
  }
  for (ArrowSchema& node : own->nodes) own->children.push_back(&node);
  ArrowSchema schema = make_schema(own, "+s", "");
  schema.flags = 0;
  schema.n_children = static_cast<std::int64_t>(own->children.size());
  schema.children = own->children.data();
  schema.release = release_schema;
  return schema;
}

struct Stream {
  std::shared_ptr<const Batch> batch;
  std::size_t next = 0;
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
  const auto& parts = state->batch->parts;
  while (state->next < parts.size() && parts[state->next].numbers.empty()) ++state->next;
  if (state->next < parts.size()) *out = export_part(state->batch, parts[state->next++]);
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

Batch::~Batch() {
  if (!spare_) return;
  for (BatchPart& part : parts) {
    for (OutColumn& column : part.columns) spare_->give(std::move(column.bytes));
  }
}

void export_stream(std::shared_ptr<const Batch> batch, ArrowArrayStream* out) {
  *out = ArrowArrayStream{};
  out->get_schema = get_schema;
  out->get_next = get_next;
  out->get_last_error = get_last_error;
  out->release = release_stream;
  out->private_data = new Stream{std::move(batch)};
}

}  // namespace locard
