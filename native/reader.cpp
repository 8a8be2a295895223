#include "reader.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "json_text.h"
#include "reader_node.h"
#include "simdjson.h"
#include "text.h"

namespace locard {

namespace ondemand = simdjson::ondemand;

namespace {

constexpr const char* kBlank = "blank";
constexpr const char* kNotJson = "not a JSON object";
constexpr const char* kBroken = "broken JSON";

constexpr std::uint32_t kNoTopKey = 0xFFFFFFFF;  // of what stands outside the object

// Keys that are no field yet are remembered so many times over the limit of fields, and no
// further: a log may have a new key in every line.
constexpr std::size_t kNodesPerField = 16;
constexpr std::size_t kMostLeftOut = 100'000;

// Fields that hold what a person wrote, in the words of the usual loggers.
bool is_message(std::string_view name) {
  for (const std::string_view known : {"message", "msg", "event", "@m", "log", "text", "body", "MESSAGE"}) {
    if (name == known) return true;
  }
  return false;
}

}  // namespace

// The walk over one record. Everything is visited, so everything is checked.
struct Reader::Parser {
  ondemand::parser json;

  // False if the object is broken. `node` is null where the object is too deep to be fields.
  bool walk(Reader& reader, ondemand::object object, Node& node, int depth, std::uint32_t top) {
    for (auto result : object) {
      ondemand::field field;
      if (std::move(result).get(field)) return false;
      // Few keys hold an escape: the others need no copy.
      std::string_view key = field.escaped_key();
      if (key.find('\\') != std::string_view::npos && field.unescaped_key(true).get(key)) return false;
      Node* child = reader.child_of(node, key);
      if (depth == 1) {
        top = reader.top_keys_++;
        if (child) reader.note_top_key(*child, top);
      }
      if (child && !child->wanted) continue;
      if (!value(reader, field.value(), child, depth, top)) return false;
    }
    return true;
  }

  bool value(Reader& reader, ondemand::value value, Node* node, int depth, std::uint32_t top) {
    ondemand::json_type type;
    if (value.type().get(type)) return false;
    switch (type) {
      case ondemand::json_type::object:
        if (node && depth < reader.limits_.deepest) {
          ondemand::object object;
          if (value.get_object().get(object)) return false;
          return walk(reader, object, *node, depth + 1, top);
        }
        return checked(value);
      case ondemand::json_type::array:
        return checked(value);
      case ondemand::json_type::string: {
        std::string_view text;
        if (value.get_string(true).get(text)) return false;
        reader.add_text(node, top, text);
        return true;
      }
      case ondemand::json_type::number: {
        std::string_view token = value.raw_json_token();
        while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) token.remove_suffix(1);
        return reader.add_number(node, top, token);
      }
      case ondemand::json_type::boolean: {
        bool truth = false;
        if (value.get_bool().get(truth)) return false;
        reader.add_text(node, top, truth ? "true" : "false");
        return true;
      }
      case ondemand::json_type::null: {
        bool null = false;
        return !value.is_null().get(null) && null;
      }
      default:
        return false;
    }
  }

  static bool checked(ondemand::value& value) {
    std::string_view raw;
    return !value.raw_json().get(raw) && is_valid_json(raw);
  }
};

Reader::Reader(Limits limits)
    : limits_(std::move(limits)), parser_(std::make_unique<Parser>()), root_(std::make_unique<Node>()) {
  begin();
  given_ = std::make_shared<Batch>();
}

Reader::~Reader() = default;

void Reader::begin() {
  batch_ = std::make_shared<Batch>();
  text_ = std::make_shared<Batch>();
  columns_.assign(fields_.size(), nullptr);
}

void Reader::read(std::string_view block) {
  const char* const end = block.data() + block.size();
  while (!block.empty()) {
    const std::size_t newline = block.find('\n');
    read_line(block.substr(0, newline), end);
    ++lines_;
    block.remove_prefix(newline == std::string_view::npos ? block.size() : newline + 1);
  }
}

std::size_t Reader::pending() const {
  return batch_->rows() * (batch_->columns.size() + 1) + text_->rows();
}

std::shared_ptr<const Batch> Reader::take() {
  for (std::size_t i = 0; i < columns_.size(); ++i) plain_[i] = plain_[i] || (columns_[i] && columns_[i]->is_diverse());
  if (limits_.mines) mine();
  given_ = text_;
  const std::shared_ptr<const Batch> taken = std::move(batch_);
  begin();
  return taken;
}

// Counts the templates of the batch: each different message is looked at once.
void Reader::mine() {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Column* column = columns_[i];
    if (!column || !is_message(fields_[i].first)) continue;
    counts_.assign(column->dictionary.size(), 0);
    for (const std::int32_t code : column->codes) {
      if (code >= 0) ++counts_[static_cast<std::size_t>(code)];
    }
    for (std::size_t code = 0; code < counts_.size(); ++code) {
      templates_.add(column->dictionary.text(static_cast<std::int32_t>(code)), counts_[code]);
    }
  }
}

void Reader::read_line(std::string_view line, const char* readable_end) {
  std::string_view text = trimmed(line);
  if (!text.empty() && text.front() == '{' && read_record(text, readable_end)) {
    keep_record();
    return;
  }
  if (text.empty()) return skip(kBlank, text);
  // Rare from here on, so copies do not matter.
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    repaired_.clear();
    append_repaired_utf8(line, repaired_);
    line = repaired_;
    text = trimmed(line);
    if (text.empty()) return skip(kBlank, text);
  }
  const std::size_t brace = text.find('{');
  if (brace == std::string_view::npos) return hand_out(kNotJson, line);
  const std::string_view prefix = trimmed_end(text.substr(0, brace));
  // Text that ends in an object says more than the object: whoever reads text has it whole.
  const bool is_text = limits_.hands_out && !is_wrapper(prefix);
  if (!is_text && read_salvaged(text)) {
    note_prefix(prefix);
    keep_record();
  } else if (brace > 0) {
    hand_out(kBroken, line);
  } else if (split_objects(text, pieces_)) {
    read_pieces();
  } else {
    skip(kBroken, text);
  }
}

bool Reader::read_salvaged(std::string_view text) {
  salvaged_.clear();
  append_salvaged(text, salvaged_);
  return read_record(salvaged_, salvaged_.data() + salvaged_.size());
}

// Objects that share a line: each is a record or broken by itself.
void Reader::read_pieces() {
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    lines_ += i > 0;
    if (read_salvaged(pieces_[i])) {
      keep_record();
    } else {
      skip(kBroken, pieces_[i]);
    }
  }
}

// What stood before a record on its line is kept as fields; a field of the record comes first.
void Reader::note_prefix(std::string_view text) {
  if (text.empty()) return;
  const auto note = [&](std::string_view name, std::string_view value) {
    Node* node = child_of(*root_, name);
    add_text(node, kNoTopKey, value);
  };
  Prefix prefix;
  if (!split_prefix(text, prefix)) return note("prefix", text);
  note("prefix.time", prefix.time);
  if (!prefix.stream.empty()) note("prefix.stream", prefix.stream);
}

// To whoever reads text; skipped where nobody does.
void Reader::hand_out(const char* reason, std::string_view line) {
  if (!limits_.hands_out) return skip(reason, trimmed(line));
  if (text_->columns.empty()) {
    text_->columns.push_back(std::make_unique<Column>());
    text_->columns.back()->name = "line";
  }
  text_->columns.back()->set(text_->lines.size(), trimmed_end(line));
  text_->lines.push_back(lines_);
}

bool Reader::read_record(std::string_view json, const char* readable_end) {
  entries_.clear();
  top_keys_ = 0;
  repeated_ = false;
  ++tries_;
  numbers_.clear();
  root_->hint = 0;
  // simdjson reads a little past the end: copy where the memory there is not ours.
  if (static_cast<std::size_t>(readable_end - json.data()) < json.size() + simdjson::SIMDJSON_PADDING) {
    padded_.assign(json);
    padded_.append(simdjson::SIMDJSON_PADDING, ' ');
    json = std::string_view(padded_).substr(0, json.size());
  }
  ondemand::document document;
  const simdjson::padded_string_view view(json, json.size() + simdjson::SIMDJSON_PADDING);
  if (parser_->json.iterate(view).get(document)) return false;
  ondemand::object object;
  if (document.get_object().get(object)) return false;
  return parser_->walk(*this, object, *root_, 1, 0) && document.at_end();
}

void Reader::keep_record() {
  const std::size_t row = batch_->lines.size();
  batch_->lines.push_back(lines_);
  ++records_;
  std::size_t number_from = 0;
  for (const Entry& entry : entries_) {
    std::string_view text = entry.text;
    if (entry.number_end) {
      text = std::string_view(numbers_).substr(number_from, entry.number_end - number_from);
      number_from = entry.number_end;
    }
    if (repeated_ && entry.top < overruled_.size() && overruled_[entry.top]) continue;
    Column*& column = columns_[static_cast<std::size_t>(entry.field)];
    if (!column) {
      batch_->columns.push_back(std::make_unique<Column>());
      column = batch_->columns.back().get();
      column->name = fields_[static_cast<std::size_t>(entry.field)].second;
      column->few = limits_.few_texts;
      column->plain = plain_[static_cast<std::size_t>(entry.field)];
    }
    if (column->codes.size() <= row) column->set(row, text);  // of equal nested keys the first
  }
}

void Reader::skip(const char* reason, std::string_view line) {
  Skipped& entry = skipped_[reason];
  if (entry.lines++ == 0) entry.sample = first_code_points(line, limits_.sample_chars);
}

Reader::Node* Reader::child_of(Node& node, std::string_view key) {
  if (Node* known = node.find(key)) return known;
  if (nodes_ >= kNodesPerField * limits_.most_fields) {
    leave_out(node.name, key);
    return nullptr;
  }
  ++nodes_;
  Node* added = node.add(key);
  added->wanted = is_wanted(added->name);
  return added;
}

// Whether the field or one below it is asked for.
bool Reader::is_wanted(std::string_view name) const {
  if (limits_.only.empty()) return true;
  for (const std::string_view asked : limits_.only) {
    if (asked.starts_with(name) && (asked.size() == name.size() || asked[name.size()] == '.')) return true;
  }
  return false;
}

void Reader::leave_out(std::string_view name, std::string_view key) {
  if (left_out_.size() < kMostLeftOut) {
    left_out_.insert(std::hash<std::string_view>{}(name) * 31 + std::hash<std::string_view>{}(key));
  }
}

std::int32_t Reader::field_of(Node& node) {
  if (node.field != Node::kUnknown) return node.field;
  if (!limits_.only.empty() && std::find(limits_.only.begin(), limits_.only.end(), node.name) == limits_.only.end()) {
    return node.field = Node::kLeftOut;
  }
  const auto same = by_name_.find(node.name);  // {"a": {"b": 1}} and {"a.b": 1} are one field
  if (same != by_name_.end()) return node.field = same->second;
  if (fields_.size() >= limits_.most_fields) {
    leave_out(node.name, "");
    return node.field = Node::kLeftOut;
  }
  std::string column("c");
  column.append(std::to_string(fields_.size()));
  fields_.emplace_back(node.name, std::move(column));
  columns_.push_back(nullptr);
  plain_.push_back(false);
  node.field = static_cast<std::int32_t>(fields_.size()) - 1;
  by_name_.emplace(node.name, node.field);
  return node.field;
}

void Reader::add_text(Node* node, std::uint32_t top, std::string_view text) {
  if (!node) return;
  const std::int32_t field = field_of(*node);
  if (field >= 0) entries_.push_back({field, top, 0, text});
}

bool Reader::add_number(Node* node, std::uint32_t top, std::string_view token) {
  const std::size_t from = numbers_.size();
  if (!append_number(token, numbers_)) return false;
  const std::int32_t field = node ? field_of(*node) : Node::kLeftOut;
  if (field < 0) {
    numbers_.resize(from);
  } else {
    entries_.push_back({field, top, static_cast<std::uint32_t>(numbers_.size()), {}});
  }
  return true;
}

// Of a top-level key that stands twice in a record the last one counts.
void Reader::note_top_key(Node& node, std::uint32_t top) {
  if (node.seen == tries_) {
    if (!repeated_) overruled_.clear();
    repeated_ = true;
    if (overruled_.size() <= node.top) overruled_.resize(node.top + 1);
    overruled_[node.top] = true;
  }
  node.seen = tries_;
  node.top = top;
}

}  // namespace locard
