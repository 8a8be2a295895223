// Feeds arbitrary bytes to the reader and checks what must hold for any input: every line is a record,
// skipped or handed out, the exported Arrow arrays are well formed, reading the input in two blocks
// gives the same counts as in one, reading by guess gives the same values as parsing, in whatever
// form they are kept and by however many threads, and every message has its template.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "json_text.h"
#include "scanner.h"

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// Walks every offset and every code, so that a sanitizer sees each byte that a consumer would.
std::size_t touch_text(const ArrowArray& array) {
  const auto* offsets = static_cast<const std::int32_t*>(array.buffers[1]);
  const auto* bytes = static_cast<const char*>(array.buffers[2]);
  std::size_t sum = 0;
  for (std::int64_t i = 0; i < array.length; ++i) {
    require(offsets[i] <= offsets[i + 1], "offsets grow");
    for (std::int32_t at = offsets[i]; at < offsets[i + 1]; ++at) sum += static_cast<unsigned char>(bytes[at]);
  }
  return sum;
}

void check_column(const ArrowArray& array, std::int64_t rows) {
  require(array.length == rows, "every column has every row");
  const auto* validity = static_cast<const std::uint8_t*>(array.buffers[0]);
  std::int64_t nulls = 0;
  for (std::int64_t i = 0; validity && i < rows; ++i) nulls += !(validity[i / 8] >> (i % 8) & 1);
  require(nulls == array.null_count, "the null count is right");
  if (array.n_buffers == 3) touch_text(array);
}

// The text of a value as it is kept; what it was made of has to be the same.
std::string text_of(const locard::Scanner& scanner, const locard::Batch& batch, std::size_t part, std::size_t column,
                    std::size_t row) {
  const locard::OutColumn& values = batch.parts[part].columns[column];
  if (!values.validity.empty() && !(values.validity[row / 8] >> (row % 8) & 1)) return "-";
  const locard::Scanner::Field* field = nullptr;
  for (const auto& known : scanner.fields()) {
    if (known.column == batch.fields[column].name) field = &known;
  }
  if (!field) return "-";  // of skeletons
  std::string out = field->name + "=";
  switch (batch.fields[column].kind) {
    case locard::Kind::kCodes:
      if (!values.codes[row]) return "-";
      out.append(field->dictionary.text(values.codes[row] - 1));
      break;
    case locard::Kind::kIntegers:
      out.append(std::to_string(values.integers[row]));
      break;
    case locard::Kind::kDoubles:
      if (field->form.bare && values.doubles[row] == std::trunc(values.doubles[row])) {
        out.append(std::to_string(static_cast<std::int64_t>(values.doubles[row])));
      } else {
        locard::append_double(values.doubles[row], out);
      }
      break;
    case locard::Kind::kTimes:
      locard::append_time(values.integers[row], field->form.time, out);
      break;
    case locard::Kind::kIds: {
      locard::Id id;
      for (std::size_t b = 0; b < 16; ++b) (b < 8 ? id.high : id.low) = (b < 8 ? id.high : id.low) << 8 | values.ids[row * 16 + b];
      locard::append_id(id, field->form.dashed, out);
      break;
    }
    case locard::Kind::kTexts:
      out.append(values.bytes, static_cast<std::size_t>(values.offsets[row]),
                 static_cast<std::size_t>(values.offsets[row + 1] - values.offsets[row]));
      break;
  }
  return out;
}

std::int64_t skipped(const locard::Scanner& reader) {
  std::int64_t lines = 0;
  for (const auto& [reason, entry] : reader.skipped()) lines += entry.lines;
  return lines;
}

// Every value of every record, in the order of the lines and of the columns' names.
std::vector<std::vector<std::string>> values_of(const locard::Scanner& scanner, const locard::Batch& read) {
  const locard::Batch* const batch = &read;
  std::map<std::int64_t, std::vector<std::string>> by_line;
  for (std::size_t part = 0; part < batch->parts.size(); ++part) {
    for (std::size_t row = 0; row < batch->parts[part].numbers.size(); ++row) {
      std::vector<std::string> values;
      for (std::size_t column = 0; column < batch->fields.size(); ++column) {
        std::string value = text_of(scanner, *batch, part, column, row);
        if (value != "-") values.push_back(std::move(value));
      }
      std::sort(values.begin(), values.end());
      values.push_back(std::to_string(batch->parts[part].numbers[row]));
      require(by_line.emplace(batch->parts[part].numbers[row], std::move(values)).second, "a line is one record");
    }
  }
  std::vector<std::vector<std::string>> out;
  for (auto& [line, values] : by_line) out.push_back(std::move(values));
  return out;
}

std::vector<std::vector<std::string>> everything(std::string_view text, bool guesses, std::size_t few) {
  locard::Scanner scanner({32, 3, 20, false, true, {}, few, guesses, 1 << 20, true}, 1);
  scanner.read(text);
  const auto batch = scanner.take();
  return values_of(scanner, *batch);
}

// What threads read of a file in small blocks; what they leave is read line by line.
struct Scanned {
  std::vector<std::vector<std::string>> values;
  std::vector<std::string> fields, templates;
  std::int64_t lines, records, skipped;
  bool operator==(const Scanned&) const = default;
};

Scanned scanned(int file, std::string_view text, std::size_t threads, std::size_t few) {
  locard::Scanner scanner({32, 3, 20, false, true, {}, few, true, 64, true}, threads);
  const auto end = static_cast<std::int64_t>(text.size());
  for (std::int64_t at = 0; at < end;) {
    const auto stop = scanner.scan(file, at, end, end - at, {{"\"log\""}});
    require(!stop.error && stop.offset >= at && stop.offset <= end, "a scan stops within the file");
    at = stop.offset;
    const std::string_view line = text.substr(static_cast<std::size_t>(at), text.find('\n', static_cast<std::size_t>(at)) - static_cast<std::size_t>(at));
    if (at < end) scanner.read(text.substr(static_cast<std::size_t>(at), line.size() + 1));
    at += static_cast<std::int64_t>(line.size()) + 1;
  }
  const auto batch = scanner.take();
  Scanned found{values_of(scanner, *batch), {}, {}, scanner.lines(), scanner.records(), skipped(scanner)};
  for (const auto& field : scanner.fields()) found.fields.push_back(field.name);
  for (const auto& mined : scanner.templates().found()) {
    found.templates.push_back(mined.text + "|" + mined.example + "|" + std::to_string(mined.count));
  }
  return found;
}

void check_threads(std::string_view text) {
  const int file = memfd_create("log", 0);
  require(file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "there is a file");
  const Scanned one = scanned(file, text, 1, 1 << 20);
  require(scanned(file, text, 3, 1 << 20) == one, "threads change nothing");
  require(scanned(file, text, 2, 2).values == one.values, "nor do they with other forms");
  close(file);
}

std::int64_t check_batch(std::shared_ptr<const locard::Batch> batch) {
  const auto rows = static_cast<std::int64_t>(batch->rows());
  ArrowArrayStream stream;
  locard::export_stream(std::move(batch), &stream);
  ArrowSchema schema;
  require(stream.get_schema(&stream, &schema) == 0, "there is a schema");
  ArrowArray array;
  require(stream.get_next(&stream, &array) == 0, "there is an array");
  stream.release(&stream);  // arrays outlive their stream
  if (array.release) {
    require(array.length == rows && array.n_children == schema.n_children, "the array fits its schema");
    for (std::int64_t i = 0; i < array.n_children; ++i) check_column(*array.children[i], rows);
    array.release(&array);
  } else {
    require(rows == 0, "only an empty batch has no array");
  }
  schema.release(&schema);
  return rows;
}

// Reads the text in blocks that end with its lines; `cut` is where the first one ends.
void check_handing_out(std::string_view text, std::size_t cut, const locard::Limits& limits) {
  locard::Scanner reader(limits, 1);
  std::int64_t handed = 0;
  for (const std::string_view block : {text.substr(0, cut), text.substr(cut)}) {
    reader.read(block);
    check_batch(reader.take());
    handed += check_batch(reader.text());
  }
  require(reader.lines() == reader.records() + skipped(reader) + handed, "no line is lost when text is handed out");
  std::int64_t messages = 0;
  for (const auto& found : reader.templates().found()) messages += found.count;
  require(messages + reader.templates().left_out() >= 0, "messages are counted");
}

// A message has the same skeleton with vectors and without, and nothing is read beyond its end.
void check_skeletons(std::string_view text) {
  static const locard::Masker plain = locard::plain_masker(), fastest = locard::fastest_masker();
  locard::Skeleton a, b;
  while (!text.empty()) {
    const std::size_t size = std::min(text.size(), locard::Skeleton::kLongest);
    const std::vector<char> copy(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    const std::string_view message(copy.data(), copy.size());
    std::size_t looked_at = 0;
    for (const bool keeps_numbered : {false, true}) {
      looked_at = plain(message, a, keeps_numbered);
      require(looked_at == std::min(message.find('\n'), size), "a message ends with its line");
      require(looked_at == fastest(message, b, keeps_numbered) && a.text() == b.text(), "skeletons do not depend on the processor");
    }
    text.remove_prefix(std::min(text.size(), looked_at + 1));
  }
}

// Lines as messages: each has its template, and the counts are those of the lines.
void check_templates(std::string_view text) {
  locard::Templates templates;
  std::int64_t messages = 0;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    require(templates.add(text.substr(0, newline)) >= 0, "a message has a skeleton");
    ++messages;
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  }
  std::vector<std::int32_t> group;
  for (const auto& found : templates.found(&group)) messages -= found.count;
  require(messages == 0, "no message is lost");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // An exact copy on the heap: reading past the end is then an error that is seen.
  const std::vector<char> copy(data, data + size);
  const std::string_view text(copy.data(), copy.size());
  const locard::Limits limits{8, 3, 20, false, false, {}, 1024, true};
  locard::Scanner whole(limits, 1);
  whole.read(text);
  const std::int64_t rows = check_batch(whole.take());
  require(rows == whole.records(), "records are counted");
  require(whole.lines() == whole.records() + skipped(whole), "no line is lost");
  require(whole.fields().size() <= limits.most_fields, "fields are bounded");

  // Twice, so that lines have the shape of earlier ones: guessing right must change nothing, and
  // neither must the form in which values are kept.
  std::string twice(text);
  twice.append("\n").append(text).append("\n").append(64, ' ');
  const auto plainly = everything(twice, false, 1 << 20);
  require(everything(twice, true, 1 << 20) == plainly, "guessing changes nothing");
  require(everything(twice, true, 2) == plainly, "neither does how values are kept");

  if (size % 8 == 0) check_threads(twice);  // starting threads takes most of the time

  check_skeletons(text);
  check_templates(text);
  const std::size_t middle = text.find('\n', size / 2);
  check_handing_out(text, middle == std::string_view::npos ? size : middle + 1, {8, 3, 20, true, true, {}, 2, true});

  check_handing_out(text, middle == std::string_view::npos ? size : middle + 1, {8, 3, 20, true, false, {"a.b", "n"}, 1, true});

  const std::size_t cut = text.find('\n', size / 2);
  if (cut == std::string_view::npos) return 0;
  locard::Scanner halves(limits, 1);
  halves.read(text.substr(0, cut + 1));
  if (cut % 2) check_batch(halves.take());  // a batch of its own, or both in one
  halves.read(text.substr(cut + 1));
  check_batch(halves.take());
  require(halves.lines() == whole.lines() && halves.records() == whole.records(), "blocks change nothing");
  return 0;
}

#ifdef LOCARD_REPLAY
// Without libFuzzer: replay the files that are named.
int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::FILE* file = std::fopen(argv[i], "rb");
    if (!file) return std::perror(argv[i]), 1;
    std::vector<std::uint8_t> data;
    std::uint8_t buffer[4096];
    for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) data.insert(data.end(), buffer, buffer + n);
    std::fclose(file);
    LLVMFuzzerTestOneInput(data.data(), data.size());
  }
  std::printf("%d inputs replayed\n", argc - 1);
  return 0;
}
#endif
