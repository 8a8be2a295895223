#include "lane.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "json_text.h"
#include "node.h"
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
struct Lane::Parser {
  ondemand::parser json;

  // False if the object is broken. `node` is null where the object is too deep to be fields.
  bool walk(Lane& lane, ondemand::object object, Node& node, int depth, std::uint32_t top) {
    for (auto result : object) {
      ondemand::field field;
      if (std::move(result).get(field)) return false;
      // Few keys hold an escape: the others need no copy.
      std::string_view key = field.escaped_key();
      if (key.find('\\') != std::string_view::npos && field.unescaped_key(true).get(key)) return false;
      Node* child = lane.child_of(node, key);
      if (depth == 1) {
        top = lane.top_keys_++;
        if (child) lane.note_top_key(*child, top);
      }
      if (!value(lane, field.value(), child, depth, top)) return false;
    }
    return true;
  }

  bool value(Lane& lane, ondemand::value value, Node* node, int depth, std::uint32_t top) {
    ondemand::json_type type;
    if (value.type().get(type)) return false;
    switch (type) {
      case ondemand::json_type::object:
        if (node && depth < lane.limits_.deepest) {
          ondemand::object object;
          if (value.get_object().get(object)) return false;
          bool is_empty = false;
          if (object.is_empty().get(is_empty)) return false;
          if (is_empty) lane.add_raw(node, top, "{}");
          return is_empty || walk(lane, object, *node, depth + 1, top);
        }
        return raw(lane, value, node, top);
      case ondemand::json_type::array:
        return raw(lane, value, node, top);
      case ondemand::json_type::string: {
        std::string_view text;
        if (value.get_string(true).get(text)) return false;
        lane.add_text(node, top, text);
        return true;
      }
      case ondemand::json_type::number: {
        std::string_view token = value.raw_json_token();
        while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) token.remove_suffix(1);
        return lane.add_number(node, top, token);
      }
      case ondemand::json_type::boolean: {
        bool truth = false;
        if (value.get_bool().get(truth)) return false;
        lane.add_text(node, top, truth ? "true" : "false");
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

  static bool raw(Lane& lane, ondemand::value& value, Node* node, std::uint32_t top) {
    std::string_view text;
    if (value.raw_json().get(text) || !is_valid_json(text)) return false;
    lane.add_raw(node, top, trimmed(text));
    return true;
  }
};

Lane::Lane(const Limits& limits)
    : limits_(limits), parser_(std::make_unique<Parser>()), root_(std::make_unique<Node>()), match_(fastest_match()) {
  begin_steps();
}

Lane::~Lane() = default;

void Lane::read(std::string_view block, const char* readable_end, std::uint64_t number) {
  chunks.push_back({number, 0, rows(), 0, texts.size(), 0});
  line_ = 0;
  const char* at = block.data();
  const char* const end = at + block.size();
  // One check for all lines; each is checked where a block has a broken character.
  const bool is_valid = limits_.guesses && simdjson::validate_utf8(block.data(), block.size());
  // Vectors may reach beyond the end of a line, and not beyond what is ours.
  const char* const guess_end = std::min(end, readable_end - std::min(block.size(), kReadsBeyond));
  while (at < end) {
    if (!(is_valid && at < guess_end && read_by_guess(at, guess_end))) {
      const auto* newline = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
      const char* const line_end = newline ? newline : end;
      const std::string_view line(at, static_cast<std::size_t>(line_end - at));
      if (is_valid || line_end >= guess_end || !limits_.guesses || !simdjson::validate_utf8(line.data(), line.size()) ||
          !read_by_guess(at, guess_end)) {
        read_line(line, readable_end);
        at = line_end + 1;
      }
    }
    ++line_;
  }
  Chunk& chunk = chunks.back();
  chunk.lines = line_;
  chunk.rows = rows() - chunk.first_row;
  chunk.texts = texts.size() - chunk.first_text;
  if (limits_.mines) look();
}

void Lane::read_columns(std::vector<std::int64_t> numbers, const std::vector<TextColumn>& columns, std::uint64_t number) {
  const std::size_t first = rows(), count = numbers.size();
  chunks.push_back({number, 0, first, count, texts.size(), 0, std::move(numbers)});
  for (std::size_t i = 0; i < count; ++i) line_numbers.push_back(static_cast<std::uint32_t>(i));
  for (const TextColumn& given : columns) {
    const std::int32_t field = add_field(std::string(given.name), false);
    if (field < 0) continue;
    Column& column = fields[static_cast<std::size_t>(field)].column;
    for (std::size_t i = 0; i < count; ++i) {
      if (given.validity && !(given.validity[i / 8] >> (i % 8) & 1)) continue;
      const std::int32_t begin = given.offsets[i], end = given.offsets[i + 1];
      column.set_text(first + i, {given.bytes + begin, static_cast<std::size_t>(end - begin)});
    }
  }
  if (limits_.mines) look();
}

void Lane::clear() {
  first_odd = kNoLine;
  chunks.clear();
  line_numbers.clear();
  text_numbers.clear();
  texts.clear();
  for (Field& field : fields) {
    field.column.clear();
    field.shapes.clear();
    field.shaped = field.sketched = 0;
  }
}

void Lane::read_line(std::string_view line, const char* readable_end) {
  std::string_view text = trimmed(line);
  if (!text.empty() && text.front() == '{' && read_record(text, readable_end)) {
    keep_record();
    if (limits_.guesses) learn(text);
    return;
  }
  if (text.empty()) return skip(kBlank, text);
  first_odd = std::min(first_odd, std::pair(chunks.back().number, line_));
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
    hand_out(kBroken, line);
  }
}

bool Lane::read_salvaged(std::string_view text) {
  salvaged_.clear();
  append_salvaged(text, salvaged_);
  return read_record(salvaged_, salvaged_.data() + salvaged_.size());
}

// Objects that share a line: each is a record or broken by itself.
void Lane::read_pieces() {
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    line_ += i > 0;
    if (read_salvaged(pieces_[i])) {
      keep_record();
    } else {
      hand_out(kBroken, pieces_[i]);
    }
  }
}

// What stood before a record on its line is kept as fields; a field of the record comes first.
void Lane::note_prefix(std::string_view text) {
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
void Lane::hand_out(const char* reason, std::string_view line) {
  if (!limits_.hands_out) return skip(reason, trimmed(line));
  texts.emplace_back(trimmed_end(line));
  text_numbers.push_back(static_cast<std::uint32_t>(line_));
}

bool Lane::read_record(std::string_view json, const char* readable_end) {
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

void Lane::keep_record() {
  const std::size_t row = rows();
  line_numbers.push_back(static_cast<std::uint32_t>(line_));
  std::size_t number_from = 0;
  for (const Entry& entry : entries_) {
    std::string_view text = entry.text;
    if (entry.number_end) {
      text = std::string_view(numbers_).substr(number_from, entry.number_end - number_from);
      number_from = entry.number_end;
    }
    if (repeated_ && entry.top < overruled_.size() && overruled_[entry.top]) continue;
    Column& column = fields[static_cast<std::size_t>(entry.field)].column;
    if (!column.has(row)) column.set_text(row, text);  // of equal nested keys the first
  }
}

void Lane::skip(const char* reason, std::string_view line) {
  Skipped& entry = skipped[reason];
  if (entry.lines++ == 0) {
    entry.sample = first_code_points(line, limits_.sample_chars);
    entry.at = {chunks.back().number, line_};
  }
}

void Lane::add_keys(std::set<std::string>& out) const {
  std::vector<const Node*> open{root_.get()};
  while (!open.empty()) {
    const Node* const node = open.back();
    open.pop_back();
    for (const auto& child : node->children) {
      out.insert(child->name);
      open.push_back(child.get());
    }
  }
}

Node* Lane::child_of(Node& node, std::string_view key) {
  if (Node* known = node.find(key)) return known;
  if (nodes_ >= kNodesPerField * limits_.most_fields) {
    leave_out(node.root ? key : node.name + "." + std::string(key));
    return nullptr;
  }
  ++nodes_;
  Node* added = node.add(key);
  added->wanted = is_wanted(added->name);
  return added;
}

// Whether the field or one below it is asked for.
bool Lane::is_wanted(std::string_view name) const {
  if (limits_.only.empty()) return true;
  for (const std::string_view asked : limits_.only) {
    if (asked.starts_with(name) && (asked.size() == name.size() || asked[name.size()] == '.' || asked[name.size()] == '[')) return true;
  }
  return false;
}

void Lane::leave_out(std::string_view name) {
  if (left_out.size() < kMostLeftOut) left_out.insert(std::hash<std::string_view>{}(name));
}

std::int32_t Lane::field_of(Node& node) {
  if (node.field != Node::kUnknown) return node.field;
  if (!limits_.only.empty() && std::find(limits_.only.begin(), limits_.only.end(), node.name) == limits_.only.end()) {
    return node.field = Node::kLeftOut;
  }
  return node.field = add_field(node.name, false);
}

std::int32_t Lane::raw_field_of(Node& node) {
  if (node.raw_field != Node::kUnknown) return node.raw_field;
  return node.raw_field = limits_.raws && is_wanted(node.name) ? add_field(node.name, true) : Node::kLeftOut;
}

std::int32_t Lane::add_field(const std::string& name, bool is_raw) {
  const std::string known_as = is_raw ? name + kRawMark : name;
  const auto same = by_name_.find(known_as);  // {"a": {"b": 1}} and {"a.b": 1} are one field
  if (same != by_name_.end()) return same->second;
  if (fields.size() >= limits_.most_fields) {
    leave_out(name);
    return Node::kLeftOut;
  }
  const auto number = static_cast<std::int32_t>(fields.size());
  fields.push_back({name, chunks.back().number, Column(limits_.few_texts), limits_.mines && !is_raw && is_message(name)});
  fields.back().is_raw = is_raw;
  by_name_.emplace(known_as, number);
  return number;
}

void Lane::add_text(Node* node, std::uint32_t top, std::string_view text) {
  if (!node) return;
  const std::int32_t field = field_of(*node);
  if (field >= 0) entries_.push_back({field, top, 0, text});
}

void Lane::add_raw(Node* node, std::uint32_t top, std::string_view text) {
  if (!node || !limits_.raws) return;
  const std::int32_t field = raw_field_of(*node);
  if (field >= 0) entries_.push_back({field, top, 0, text});
}

bool Lane::add_number(Node* node, std::uint32_t top, std::string_view token) {
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

// The text of a sound string with escapes; valid until the next.
std::string_view Lane::unescaped(const Piece& piece) {
  const std::size_t room = piece.size + simdjson::SIMDJSON_PADDING;
  if (unescaped_.size() < room) unescaped_.resize(room);
  auto* to = reinterpret_cast<std::uint8_t*>(unescaped_.data());
  std::string_view text;
  const ondemand::raw_json_string raw(reinterpret_cast<const std::uint8_t*>(piece.begin));
  return parser_->json.unescape(raw, to, true).get(text) ? std::string_view() : text;
}

// Of a top-level key that stands twice in a record the last one counts.
void Lane::note_top_key(Node& node, std::uint32_t top) {
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
