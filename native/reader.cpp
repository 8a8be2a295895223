#include "reader.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "simdjson.h"
#include "text.h"

namespace locard {

namespace ondemand = simdjson::ondemand;

namespace {

constexpr const char* kBlank = "blank";
constexpr const char* kNotJson = "not a JSON object";
constexpr const char* kBroken = "broken JSON";

// Keys that are no field yet are remembered so many times over the limit of fields, and no
// further: a log may have a new key in every line.
constexpr std::size_t kNodesPerField = 16;
constexpr std::size_t kMostLeftOut = 100'000;

}  // namespace

// A key at one place in the records; children in the order in which they were met.
struct Reader::Node {
  std::string key;
  std::string name;  // dotted
  bool root = true;
  std::int32_t field = kUnknown;
  std::size_t hint = 0;  // where the next key is likely to be
  std::vector<std::unique_ptr<Node>> children;
  std::map<std::string, Node*, std::less<>> by_key;  // used once there are many

  static constexpr std::int32_t kUnknown = -1;
  static constexpr std::int32_t kLeftOut = -2;
  static constexpr std::size_t kMany = 24;

  Node* find(std::string_view wanted) {
    if (hint < children.size() && children[hint]->key == wanted) return children[hint++].get();
    if (children.size() >= kMany) {
      const auto found = by_key.find(wanted);
      return found == by_key.end() ? nullptr : found->second;
    }
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (children[i]->key == wanted) {
        hint = i + 1;
        return children[i].get();
      }
    }
    return nullptr;
  }

  Node* add(std::string_view wanted) {
    auto child = std::make_unique<Node>();
    child->key = wanted;
    child->root = false;
    child->name = root ? child->key : name + "." + child->key;
    children.push_back(std::move(child));
    Node* added = children.back().get();
    if (children.size() == kMany) {
      for (const auto& c : children) by_key.emplace(c->key, c.get());
    } else if (children.size() > kMany) {
      by_key.emplace(added->key, added);
    }
    return added;
  }
};

// The walk over one record. Everything is visited, so everything is checked.
struct Reader::Parser {
  ondemand::parser json;

  // False if the object is broken. `node` is null where the object is too deep to be fields.
  bool walk(Reader& reader, ondemand::object object, Node& node, int depth, std::uint32_t top) {
    for (auto result : object) {
      ondemand::field field;
      if (std::move(result).get(field)) return false;
      std::string_view key;
      if (field.unescaped_key(false).get(key)) return false;
      if (depth == 1) {
        top = static_cast<std::uint32_t>(reader.top_keys_.size());
        reader.note_top_key(key);
      }
      Node* child = reader.child_of(node, key);
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
        if (value.get_string(false).get(text)) return false;
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
    : limits_(limits), parser_(std::make_unique<Parser>()), root_(std::make_unique<Node>()) {}

Reader::~Reader() = default;

std::shared_ptr<const Batch> Reader::read(std::string_view block) {
  batch_ = std::make_shared<Batch>();
  columns_.assign(fields_.size(), nullptr);
  const char* const end = block.data() + block.size();
  while (!block.empty()) {
    const std::size_t newline = block.find('\n');
    read_line(block.substr(0, newline), end);
    ++lines_;
    block.remove_prefix(newline == std::string_view::npos ? block.size() : newline + 1);
  }
  return std::exchange(batch_, nullptr);
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
    text = trimmed(repaired_);
    if (text.empty()) return skip(kBlank, text);
  }
  salvaged_.clear();
  append_salvaged(text, salvaged_);
  if (salvaged_.empty()) return skip(kNotJson, text);
  if (!read_record(salvaged_, salvaged_.data() + salvaged_.size())) return skip(kBroken, text);
  keep_record();
}

bool Reader::read_record(std::string_view json, const char* readable_end) {
  entries_.clear();
  top_keys_.clear();
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
  const bool repeated = has_repeated_top_key();
  std::size_t number_from = 0;
  for (const Entry& entry : entries_) {
    std::string_view text = entry.text;
    if (entry.number_end) {
      text = std::string_view(numbers_).substr(number_from, entry.number_end - number_from);
      number_from = entry.number_end;
    }
    if (repeated && overruled_[entry.top]) continue;
    Column*& column = columns_[static_cast<std::size_t>(entry.field)];
    if (!column) {
      batch_->columns.push_back(std::make_unique<Column>());
      column = batch_->columns.back().get();
      column->name = fields_[static_cast<std::size_t>(entry.field)].second;
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
  return node.add(key);
}

void Reader::leave_out(std::string_view name, std::string_view key) {
  if (left_out_.size() < kMostLeftOut) {
    left_out_.insert(std::hash<std::string_view>{}(name) * 31 + std::hash<std::string_view>{}(key));
  }
}

std::int32_t Reader::field_of(Node& node) {
  if (node.field != Node::kUnknown) return node.field;
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

void Reader::note_top_key(std::string_view key) {
  top_keys_.push_back(std::hash<std::string_view>{}(key));
}

// Of a top-level key that stands twice in a record the last one counts.
bool Reader::has_repeated_top_key() {
  sorted_keys_.clear();
  for (std::size_t i = 0; i < top_keys_.size(); ++i) sorted_keys_.emplace_back(top_keys_[i], i);
  std::sort(sorted_keys_.begin(), sorted_keys_.end());
  bool repeated = false;
  for (std::size_t i = 0; i + 1 < sorted_keys_.size(); ++i) {
    if (sorted_keys_[i].first != sorted_keys_[i + 1].first) continue;
    if (!repeated) overruled_.assign(top_keys_.size(), false);
    repeated = true;
    overruled_[sorted_keys_[i].second] = true;
  }
  return repeated;
}

}  // namespace locard
