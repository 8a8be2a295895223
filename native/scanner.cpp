#include "scanner.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <exception>
#include <functional>
#include <system_error>
#include <thread>

#include "text.h"

namespace locard {

namespace {

constexpr std::size_t kLongestLine = 8 << 20;  // longer ones are left to whoever counts them
constexpr std::size_t kLooks = 64, kFewLooks = 4;  // lines at one place of a block
constexpr std::size_t kLookedBytes = 1 << 16;
constexpr std::int64_t kBeginning = 8 << 20;

bool contains(std::string_view text, std::string_view word) {
  return memmem(text.data(), text.size(), word.data(), word.size()) != nullptr;
}

// Whether a line may have to be unwrapped. JSON is not, perhaps behind the time and stream of a container
// runtime, and neither is what is indented, as stack traces are.
bool is_odd_line(std::string_view line, const std::vector<std::string>& words) {
  const std::string_view text = trimmed(line);
  if (text.empty()) return false;
  if (text.front() == '{') {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) { return contains(text, word); });
  }
  const std::size_t brace = text.find('{');
  if (line.front() == ' ' || line.front() == '\t') return brace != std::string_view::npos || contains(text, "|");
  Prefix prefix;
  return brace == std::string_view::npos || !split_prefix(trimmed_end(text.substr(0, brace)), prefix);
}

// Looks at lines from the start, the middle and the end of a block. The words are looked for in some
// of them only, but where a log begins.
bool is_odd(std::string_view block, const std::vector<std::string>& words, bool begins) {
  static const std::vector<std::string> kNoWords;
  const std::size_t last = block.size() - std::min(block.size(), kLookedBytes);
  for (const std::size_t from : {std::size_t{0}, block.size() / 2, last}) {
    std::string_view rest = block.substr(from);
    if (from) rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
    for (std::size_t i = 0; i < kLooks && !rest.empty(); ++i) {
      const std::size_t newline = std::min(rest.find('\n'), rest.size());
      if (is_odd_line(rest.substr(0, newline), begins || i < kFewLooks ? words : kNoWords)) return true;
      rest.remove_prefix(std::min(newline + 1, rest.size()));
    }
  }
  // Lines that a container runtime has cut are put together by the caller.
  return !block.empty() && block.front() != '{' && (contains(block, " stdout P ") || contains(block, " stderr P "));
}

// The next blocks of a file, for whichever thread asks. Reading is a small part of the work.
class Blocks {
 public:
  Blocks(int file, std::int64_t offset, std::int64_t end, std::int64_t until, std::size_t size, const std::vector<std::string>& words)
      : file_(file), end_(end), until_(until), size_(size), words_(words), stop_{offset} {}

  // Whole lines into `buffer`, padded; false at the end. `count` goes up by one for each block.
  bool next(std::vector<char>& buffer, std::size_t& size, std::uint64_t& count, std::uint64_t& number) {
    const std::lock_guard locked(mutex_);
    if (ended_ || stop_.offset >= until_) return false;
    for (std::size_t want = size_;; want *= 2) {
      want = static_cast<std::size_t>(std::min<std::int64_t>(static_cast<std::int64_t>(want), end_ - stop_.offset));
      if (buffer.size() < want + kReadsBeyond) buffer.resize(want + kReadsBeyond);
      size = fill(buffer.data(), want);
      const bool last = size < want || stop_.offset + static_cast<std::int64_t>(want) == end_;
      const void* newline = memrchr(buffer.data(), '\n', size);
      if (newline) size = static_cast<std::size_t>(static_cast<const char*>(newline) - buffer.data()) + 1;
      if (newline && size > 0) break;
      // The rest of the file without a newline, or a very long line, is the caller's.
      if (last || want >= kLongestLine || size == 0) return !(ended_ = true);
    }
    if (is_odd({buffer.data(), size}, words_, stop_.offset < kBeginning)) {
      stop_.odd = ended_ = true;
      return false;
    }
    stop_.offset += static_cast<std::int64_t>(size);
    number = count++;
    return true;
  }

  const Scanner::Stop& stop() const { return stop_; }

 private:
  std::size_t fill(char* out, std::size_t want) {
    std::size_t got = 0;
    while (got < want) {
      const ssize_t n = pread(file_, out + got, want - got, stop_.offset + static_cast<std::int64_t>(got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) stop_.error = errno;
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
    return got;
  }

  int file_;
  std::int64_t end_, until_;
  std::size_t size_;
  const std::vector<std::string>& words_;
  std::mutex mutex_;
  Scanner::Stop stop_;
  bool ended_ = false;
};

// Runs `work(0)` to `work(count - 1)` in a thread each, or in as many as there can be. What one of
// them throws is thrown once all have ended.
template <typename Work>
void run(std::size_t count, Work work) {
  std::vector<std::exception_ptr> thrown(count);
  const auto guarded = [&](std::size_t which) {
    try {
      work(which);
    } catch (...) {
      thrown[which] = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(count);
  try {
    for (std::size_t i = 1; i < count; ++i) threads.emplace_back(guarded, i);
  } catch (const std::system_error&) {  // no more of them
  }
  guarded(0);
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : thrown) {
    if (error) std::rethrow_exception(error);
  }
}

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

void fill_texts(OutColumn& out, std::size_t rows, const std::vector<std::uint32_t>& ends) {
  const auto has = [&](std::size_t i) { return i < ends.size() && ends[i]; };
  fill_validity(out, rows, has);
  out.offsets.reserve(rows + 1);
  out.offsets.push_back(0);
  for (std::size_t i = 0; i < rows; ++i) {
    out.offsets.push_back(has(i) ? static_cast<std::int32_t>(ends[i] - 1) : out.offsets.back());
  }
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

Scanner::Stop Scanner::scan(int file, std::int64_t offset, std::int64_t end, std::int64_t most,
                            const std::vector<std::string>& words) {
  Blocks blocks(file, offset, end, std::min(end, offset + most), limits_.block, words);
  const auto work = [&](std::size_t which) {
    Lane& lane = *lanes_[which];
    std::vector<char> buffer;
    std::size_t size = 0;
    std::uint64_t number = 0;
    while (blocks.next(buffer, size, blocks_, number)) {
      lane.read({buffer.data(), size}, buffer.data() + buffer.size(), number);
    }
  };
  std::vector<std::size_t> before;
  for (const auto& lane : lanes_) before.push_back(lane->chunks.size());
  const std::int64_t size = std::min(end - offset, most) / static_cast<std::int64_t>(limits_.block);
  run(std::min(lanes_.size(), static_cast<std::size_t>(std::max<std::int64_t>(size, 0)) + 1), work);
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    for (std::size_t c = before[i]; c < lanes_[i]->chunks.size(); ++c) {
      lines_ += lanes_[i]->chunks[c].lines;
      records_ += static_cast<std::int64_t>(lanes_[i]->chunks[c].rows);
    }
  }
  Stop stop = blocks.stop();
  if (stop.offset > offset) stop.error = 0;  // the next call finds it again; what was read is not lost
  return stop;
}

std::size_t Scanner::pending() const {
  std::size_t sum = 0;
  for (const auto& lane : lanes_) sum += lane->rows() * (lane->fields.size() + 1) + lane->texts.size();
  return sum;
}

namespace {

// Something that a lane has met for the first time.
struct New {
  std::uint64_t block;
  std::size_t number;  // in its lane
  std::size_t lane;
  auto operator<=>(const New&) const = default;
};

}  // namespace

// The fields that a lane has found are those of all, as far as there is room. In the order in which
// the log has them, whichever lane was faster.
void Scanner::meet_fields() {
  std::vector<New> found;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    const auto& fields = lanes_[lane]->fields;
    for (std::size_t i = bridges_[lane].fields.size(); i < fields.size(); ++i) found.push_back({fields[i].first, i, lane});
    bridges_[lane].codes.resize(fields.size());
    bridges_[lane].endpoints.resize(fields.size());
  }
  std::sort(found.begin(), found.end());
  for (const New& item : found) {
    const Lane::Field& field = lanes_[item.lane]->fields[item.number];
    auto known = by_name_.find(field.name);
    if (known == by_name_.end() && fields_.size() < limits_.most_fields) {
      known = by_name_.emplace(field.name, fields_.size()).first;
      fields_.push_back({field.name, std::string("c").append(std::to_string(fields_.size())), field.message});
    }
    const bool is_kept = known != by_name_.end();
    if (!is_kept) left_out_.insert(std::hash<std::string_view>{}(field.name));
    bridges_[item.lane].fields.push_back(is_kept ? static_cast<std::int32_t>(known->second) : -1);
  }
}

// The same for the skeletons of their messages.
void Scanner::meet_skeletons() {
  std::vector<New> found;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    const auto& blocks = lanes_[lane]->first_blocks;
    for (std::size_t i = bridges_[lane].skeletons.size(); i < blocks.size(); ++i) found.push_back({blocks[i], i, lane});
  }
  std::sort(found.begin(), found.end());
  for (const New& item : found) {
    bridges_[item.lane].skeletons.push_back(templates_.meet(lanes_[item.lane]->templates, item.number));
  }
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) templates_.take(lanes_[lane]->templates, bridges_[lane].skeletons);
}

Lane::Field* Scanner::field_of(std::size_t lane, std::size_t field) const {
  const auto& fields = bridges_[lane].fields;
  const auto at = std::find(fields.begin(), fields.end(), static_cast<std::int32_t>(field));
  return at == fields.end() ? nullptr : &lanes_[lane]->fields[static_cast<std::size_t>(at - fields.begin())];
}

// Whether every text that is or was a code is a value of the form.
bool Scanner::takes_all(Form& form, std::size_t field) {
  const auto all = [&](const Dictionary& dictionary) {
    for (std::size_t i = 0; i < dictionary.size(); ++i) {
      if (!form.takes(dictionary.text(static_cast<std::int32_t>(i)))) return false;
    }
    return true;
  };
  if (fields_[field].form.kind == Kind::kCodes && !all(fields_[field].dictionary)) return false;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    const Lane::Field* found = field_of(lane, field);
    if (found && found->column.form().kind == Kind::kCodes && !all(found->column.dictionary())) return false;
  }
  return true;
}

// One form for a field: the narrowest that all lanes and all earlier values fit into.
void Scanner::agree(std::size_t number) {
  Field& field = fields_[number];
  Form form = field.form;
  std::size_t codes = field.dictionary.size(), bytes = field.dictionary.byte_count();
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    const Lane::Field* found = field_of(lane, number);
    if (!found) continue;
    form = form.joined(found->column.form());
    if (found->column.form().kind == Kind::kCodes) {
      codes += found->column.dictionary().size();
      bytes += found->column.dictionary().byte_count();
    }
    // Earlier values of the field have no endpoints: whoever wants them has to make them himself.
    field.path |= found->path && !field.taken;
  }
  if (form.kind == Kind::kCodes && (codes > Column::kMost || bytes > Column::kMostBytes)) {
    for (const Kind kind : {Kind::kIntegers, Kind::kDoubles, Kind::kTimes, Kind::kIds, Kind::kTexts}) {
      form = Form{};
      form.kind = kind;
      if (takes_all(form, number)) break;
    }
  } else if (form.kind != Kind::kCodes && form.kind != Kind::kTexts && !takes_all(form, number)) {
    form = Form{};
    form.kind = Kind::kTexts;
  }
  field.form = form;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    Lane::Field* found = field_of(lane, number);
    if (!found) continue;
    found->column.change(form, lanes_[lane]->rows());
    found->path = field.path;
    if (found->column.used && limits_.mines) lanes_[lane]->look_at(*found);
  }
  field.taken = true;
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
    taken_lines_ += chunk->lines;
  }
}

std::shared_ptr<const Batch> Scanner::take() {
  number_lines();
  meet_fields();
  for (std::size_t field = 0; field < fields_.size(); ++field) agree(field);
  meet_skeletons();
  auto batch = std::make_shared<Batch>();
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
      for (std::size_t i = 0; i < chunk.rows; ++i) part.numbers.push_back(base + lane.line_numbers[chunk.first_row + i]);
    }
    part.columns.resize(batch->fields.size());
    std::size_t out = 0;
    for (std::size_t field = 0; field < fields_.size(); ++field) {
      fill(part, which, field, out);
      if (fields_[field].has_shapes()) fill_shapes(part.columns[out + 1], lane.rows(), which, field);
      out += fields_[field].has_shapes() ? 2 : 1;
    }
  }
  // After the last lane: what every line is sampled by is the same for all.
  for (std::size_t which = 0, part = 0; which < lanes_.size(); ++which) {
    if (lanes_[which]->rows()) sample(batch->parts[part++], which);
  }
  text_ = hand_out();
  for (const auto& lane : lanes_) lane->clear();
  return batch;
}

void Scanner::fill(BatchPart& part, std::size_t which, std::size_t number, std::size_t at) {
  const std::size_t rows = part.numbers.size();
  OutColumn& out = part.columns[at];
  Field& field = fields_[number];
  Bridge& bridge = bridges_[which];
  const Lane::Field* const found = field_of(which, number);
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
    case Kind::kTexts:
      fill_texts(out, rows, column.ends);
      out.bytes = column.bytes;
      break;
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
    if (part.numbers[row] % every_ == 0) rows.push_back(row);
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

std::uint64_t Scanner::guessed() const {
  std::uint64_t sum = 0;
  for (const auto& lane : lanes_) sum += lane->guessed;
  return sum;
}

}  // namespace locard
