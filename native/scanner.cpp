#include "scanner.h"

#include <algorithm>
#include <bit>

#include "room.h"
#include "text.h"

namespace locard {

namespace {

void set_bit(std::vector<std::uint8_t>& bits, std::size_t i) { bits[i / 8] |= static_cast<std::uint8_t>(1U << (i % 8)); }

// Validity from a test of each row; left empty where all are there.
template <typename Test>
void fill_validity(OutColumn& out, std::size_t rows, Test has) {
  out.validity.assign((rows + 7) / 8, 0);
  out.nulls = static_cast<std::int64_t>(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    if (!has(i)) continue;
    set_bit(out.validity, i);
    --out.nulls;
  }
  if (out.nulls == 0) out.validity.clear();
}

// The column gives its texts away and gets room for as many.
void fill_texts(OutColumn& out, std::size_t rows, Column& column, SpareRoom& spare) {
  auto& ends = column.ends;
  ends.resize(rows, 0);
  out.offsets.resize(rows + 1);
  out.offsets[0] = 0;
  if (std::find(ends.begin(), ends.end(), 0U) == ends.end()) {
    for (std::size_t i = 0; i < rows; ++i) out.offsets[i + 1] = static_cast<std::int32_t>(ends[i] - 1);
  } else {
    fill_validity(out, rows, [&](std::size_t i) { return ends[i] != 0; });
    for (std::size_t i = 0; i < rows; ++i) out.offsets[i + 1] = ends[i] ? static_cast<std::int32_t>(ends[i] - 1) : out.offsets[i];
  }
  out.bytes = std::move(column.bytes);
  column.bytes = spare.take(out.bytes.size());
}

}  // namespace

Scanner::Scanner(Limits limits, std::size_t threads) : limits_(std::move(limits)), bridges_(std::max<std::size_t>(threads, 1)) {
  for (std::size_t i = 0; i < bridges_.size(); ++i) lanes_.push_back(std::make_unique<Lane>(limits_));
  text_ = std::make_shared<Batch>();
}

void Scanner::read(std::string_view block) {
  Lane& lane = *lanes_.front();
  const std::size_t rows = lane.rows();
  lane.read(block, block.data() + block.size(), blocks_++);
  lines_ += lane.chunks.back().lines;
  records_ += static_cast<std::int64_t>(lane.rows() - rows);
}

void Scanner::read_columns(const ArrowSchema& schema, const ArrowArray& records) {
  const auto count = static_cast<std::size_t>(records.length);
  const auto* const first = static_cast<const std::int64_t*>(records.children[0]->buffers[1]);
  std::vector<TextColumn> columns;
  for (std::int64_t i = 1; i < records.n_children; ++i) {
    const ArrowArray& values = *records.children[i];
    columns.push_back({schema.children[i]->name, values.null_count ? static_cast<const std::uint8_t*>(values.buffers[0]) : nullptr,
                       static_cast<const std::int32_t*>(values.buffers[1]), static_cast<const char*>(values.buffers[2])});
  }
  lanes_.front()->read_columns({first, first + count}, columns, blocks_++);
  records_ += records.length;
}

std::size_t Scanner::pending() const {
  std::size_t sum = 0;
  for (const auto& lane : lanes_) sum += lane->rows() * (lane->fields.size() + 1) + lane->texts.size();
  return sum;
}

// Blocks count on from each other in the order in which they stand in the log.
void Scanner::number_lines() {
  std::vector<const Chunk*> chunks;
  for (const auto& lane : lanes_) {
    for (const Chunk& chunk : lane->chunks) chunks.push_back(&chunk);
  }
  std::sort(chunks.begin(), chunks.end(), [](const Chunk* a, const Chunk* b) { return a->number < b->number; });
  first_line_.clear();
  for (const Chunk* chunk : chunks) {
    first_line_[chunk->number] = taken_lines_;
    if (chunk->offset >= 0) places_.push_back({taken_lines_, chunk->lines, chunk->offset, chunk->size});
    taken_lines_ += chunk->lines;
  }
}

std::shared_ptr<const Batch> Scanner::take() {
  number_lines();
  meet_fields();
  for (std::size_t field = 0; field < fields_.size(); ++field) agree(field);
  meet_skeletons();
  auto batch = std::make_shared<Batch>(spare_);
  for (const Field& field : fields_) {
    batch->fields.push_back({field.column, field.form.kind});
    if (field.has_shapes()) batch->fields.push_back({field.column + "s", Kind::kCodes});
  }
  for (std::size_t which = 0; which < lanes_.size(); ++which) {
    Lane& lane = *lanes_[which];
    if (!lane.rows()) continue;
    BatchPart& part = batch->parts.emplace_back();
    part.numbers.reserve(lane.rows());
    for (const Chunk& chunk : lane.chunks) {
      const std::int64_t base = first_line_[chunk.number];
      for (std::size_t i = 0; i < chunk.rows; ++i) {
        const std::uint32_t line = lane.line_numbers[chunk.first_row + i];
        part.numbers.push_back(chunk.numbers.empty() ? base + line : chunk.numbers[line]);
      }
    }
    sample(part, which);
    part.columns.resize(batch->fields.size());
    std::size_t out = 0;
    for (std::size_t field = 0; field < fields_.size(); ++field) {
      fill(part, which, field, out);
      if (fields_[field].has_shapes()) fill_shapes(part.columns[out + 1], lane.rows(), which, field);
      out += fields_[field].has_shapes() ? 2 : 1;
    }
  }
  text_ = hand_out();
  for (const auto& lane : lanes_) {
    if (lane->first_odd == Lane::kNoLine) continue;
    const std::int64_t line = first_line_[lane->first_odd.first] + lane->first_odd.second;
    first_odd_ = first_odd_ < 0 ? line : std::min(first_odd_, line);
  }
  for (const auto& lane : lanes_) lane->clear();
  return batch;
}

void Scanner::fill(BatchPart& part, std::size_t which, std::size_t number, std::size_t at) {
  const std::size_t rows = part.numbers.size();
  OutColumn& out = part.columns[at];
  Field& field = fields_[number];
  Bridge& bridge = bridges_[which];
  Lane::Field* const found = field_of(which, number);
  const std::size_t own = found ? static_cast<std::size_t>(found - lanes_[which]->fields.data()) : 0;
  static const Column none;
  const Column& column = found ? found->column : none;
  switch (field.form.kind) {
    case Kind::kCodes: {
      out.codes.assign(rows, 0);
      if (!found) break;
      auto& map = bridge.codes[own];
      if (map.empty()) map.push_back(0);
      for (std::size_t code = map.size() - 1; code < column.dictionary().size(); ++code) {
        map.push_back(static_cast<std::uint16_t>(field.dictionary.code(column.text_of_code(static_cast<std::int32_t>(code))) + 1));
      }
      for (std::size_t i = 0; i < column.codes.size(); ++i) out.codes[i] = map[column.codes[i]];
      break;
    }
    case Kind::kIntegers:
    case Kind::kTimes:
      out.integers = column.integers;
      out.integers.resize(rows, Column::kNone);
      fill_validity(out, rows, [&](std::size_t i) { return out.integers[i] != Column::kNone; });
      break;
    case Kind::kDoubles:
      out.doubles = column.doubles;
      out.doubles.resize(rows, std::bit_cast<double>(Column::kNoDouble));
      fill_validity(out, rows, [&](std::size_t i) { return std::bit_cast<std::uint64_t>(out.doubles[i]) != Column::kNoDouble; });
      break;
    case Kind::kIds:
      out.ids.assign(rows * 16, 0);
      fill_validity(out, rows, [&](std::size_t i) { return column.has(i); });
      for (std::size_t i = 0; i < column.ids.size(); ++i) {
        const std::uint64_t words[2] = {column.ids[i].high, column.ids[i].low};
        for (std::size_t b = 0; b < 16; ++b) out.ids[i * 16 + b] = static_cast<std::uint8_t>(words[b / 8] >> (56 - 8 * (b % 8)));
      }
      break;
    case Kind::kTexts: {
      Column empty;
      fill_texts(out, rows, found ? found->column : empty, *spare_);
      break;
    }
  }
}

void Scanner::sample(const BatchPart& part, std::size_t which) {
  const std::int64_t before = every_;
  while (taken_lines_ > every_ * kSampled) every_ *= 2;
  for (Field& field : fields_) {
    if (every_ > before) std::erase_if(field.samples, [&](const auto& item) { return item.first % every_ != 0; });
  }
  std::vector<std::size_t> rows;
  for (std::size_t row = 0; row < part.numbers.size(); ++row) {
    if (!(part.numbers[row] & (every_ - 1))) rows.push_back(row);  // a power of two
  }
  std::string text;
  for (std::size_t number = 0; number < fields_.size(); ++number) {
    const Lane::Field* const found = field_of(which, number);
    if (!found || !found->column.used) continue;
    fields_[number].values += static_cast<std::int64_t>(found->column.count());
    for (const std::size_t row : rows) {
      if (!found->column.has(row)) continue;
      text.clear();
      found->column.append_text(row, text);
      fields_[number].samples.emplace_back(part.numbers[row], first_code_points(text, limits_.sample_chars));
    }
  }
}

void Scanner::fill_shapes(OutColumn& out, std::size_t rows, std::size_t which, std::size_t number) {
  Field& field = fields_[number];
  Bridge& bridge = bridges_[which];
  out.codes.assign(rows, 0);
  const Lane::Field* const found = field_of(which, number);
  if (!found) return;
  if (field.message) {
    for (std::size_t i = 0; i < found->shapes.size(); ++i) {
      if (found->shapes[i]) out.codes[i] = static_cast<std::uint16_t>(bridge.skeletons[found->shapes[i] - 1] + 1);
    }
    return;
  }
  auto& map = bridge.endpoints[static_cast<std::size_t>(found - lanes_[which]->fields.data())];
  if (map.empty()) map.push_back(0);
  for (std::size_t code = map.size() - 1; code < found->endpoints.size(); ++code) {
    const std::string_view text = found->endpoints.text(static_cast<std::int32_t>(code));
    const bool full = field.endpoints.size() >= Column::kMost || field.endpoints.byte_count() > Column::kMostBytes;
    map.push_back(static_cast<std::uint16_t>((full ? field.endpoints.find(text) : field.endpoints.code(text)) + 1));
  }
  for (std::size_t i = 0; i < found->shapes.size(); ++i) out.codes[i] = map[found->shapes[i]];
}

Sketch Scanner::sketch(std::size_t field) const {
  Sketch whole;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (const Lane::Field* found = field_of(lane, field)) whole.take(found->sketch);
  }
  const Dictionary& before = fields_[field].dictionary;  // from when they were codes
  Column value;
  value.change(fields_[field].form, 0);
  for (std::size_t i = 0; i < before.size(); ++i) {
    value.set_text(0, before.text(static_cast<std::int32_t>(i)));
    whole.add(value.hash(0));
    value.clear();
  }
  return whole;
}

std::shared_ptr<Batch> Scanner::hand_out() {
  auto batch = std::make_shared<Batch>();
  batch->fields.push_back({"line", Kind::kTexts});
  for (const auto& lane : lanes_) {
    if (lane->texts.empty()) continue;
    BatchPart& part = batch->parts.emplace_back();
    OutColumn& out = part.columns.emplace_back();
    out.offsets.push_back(0);
    for (const Chunk& chunk : lane->chunks) {
      for (std::size_t i = chunk.first_text; i < chunk.first_text + chunk.texts; ++i) {
        part.numbers.push_back(first_line_[chunk.number] + lane->text_numbers[i]);
        out.bytes.append(lane->texts[i]);
        out.offsets.push_back(static_cast<std::int32_t>(out.bytes.size()));
      }
    }
  }
  return batch;
}

std::map<std::string, Skipped> Scanner::skipped() const {
  std::map<std::string, Skipped> all;
  for (const auto& lane : lanes_) {
    for (const auto& [reason, entry] : lane->skipped) {
      Skipped& sum = all[reason];
      if (!sum.lines || entry.at < sum.at) {
        sum.sample = entry.sample;
        sum.at = entry.at;
      }
      sum.lines += entry.lines;
    }
  }
  return all;
}

std::size_t Scanner::fields_left_out() const {
  std::unordered_set<std::uint64_t> all = left_out_;
  for (const auto& lane : lanes_) all.insert(lane->left_out.begin(), lane->left_out.end());
  return all.size();
}

std::vector<std::string> Scanner::keys() const {
  std::set<std::string> all;
  for (const auto& lane : lanes_) lane->add_keys(all);
  return {all.begin(), all.end()};
}

std::uint64_t Scanner::guessed() const {
  std::uint64_t sum = 0;
  for (const auto& lane : lanes_) sum += lane->guessed;
  return sum;
}

}  // namespace locard
