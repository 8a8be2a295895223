// Reading lines by the steps of earlier ones, and learning such steps.
#include <algorithm>

#include "lane.h"
#include "node.h"

namespace locard {

namespace {

constexpr std::uint32_t kLearnEvery = 64;  // lines that take unknown steps, once there is no more room
constexpr std::size_t kLongestRecord = 64 << 10;
constexpr std::uint32_t kBeginning = 0, kRecord = 1;  // objects of `Steps`

// Behind the string of sound JSON that begins at `at`.
std::size_t string_end(std::string_view json, std::size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at) at += json[at] == '\\';
  return std::min(at + 1, json.size());
}

// Behind the value of sound JSON that begins at `at`.
std::size_t value_end(std::string_view json, std::size_t at) {
  if (json[at] == '"') return string_end(json, at);
  if (json[at] != '{' && json[at] != '[') return std::min(json.find_first_of(",} \t\r", at), json.size());
  std::size_t depth = 0;
  while (at < json.size()) {
    const char c = json[at];
    if (c == '"') {
      at = string_end(json, at);
      continue;
    }
    ++at;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) break;
  }
  return at;
}

std::size_t behind_space(std::string_view json, std::size_t at) {
  while (at < json.size() && (json[at] == ' ' || json[at] == '\t')) ++at;
  return at;
}

}  // namespace

void Lane::begin_steps() {
  for (const std::uint32_t object : {kBeginning, kRecord}) {
    if (steps_.from.size() <= object) steps_.add_object();
  }
  root_->object = kRecord;
  found_.resize(Steps::kMostPieces);
}

// Reads the line at `at` if it takes known steps only; `at` is then behind it.
bool Lane::read_by_guess(const char*& at, const char* end) {
  const char* line_end = nullptr;
  std::size_t count = 0;
  if (!match_(steps_, at, end, found_.data(), &count, &line_end)) return false;
  ++guessed;
  keep_pieces(count);
  at = line_end + 1;
  return true;
}

void Lane::keep_pieces(std::size_t count) {
  const std::size_t row = rows();
  line_numbers.push_back(static_cast<std::uint32_t>(line_));
  for (std::size_t i = 0; i < count; ++i) {
    const Piece& piece = found_[i];
    Node& node = *step_nodes_[piece.step];
    if (piece.type == Piece::kNull) continue;
    const std::int32_t field = piece.type == Piece::kRaw ? raw_field_of(node) : field_of(node);
    if (field < 0) continue;
    Column& column = fields[static_cast<std::size_t>(field)].column;
    switch (piece.type) {
      case Piece::kString:
      case Piece::kRaw:
        column.set_text(row, {piece.begin, piece.size});
        break;
      case Piece::kEscaped:
        column.set_text(row, unescaped(piece));
        break;
      case Piece::kInteger:
        column.set_integer(row, piece.integer, {piece.begin, piece.size});
        break;
      case Piece::kDecimal:
        column.set_decimal(row, piece.decimal, {piece.begin, piece.size});
        break;
      case Piece::kTrue:
        column.set_text(row, "true");
        break;
      case Piece::kFalse:
        column.set_text(row, "false");
        break;
      case Piece::kNull:
        break;
    }
  }
}

// Learns the steps of a record that was read. They are only a guess about other lines, so whatever is
// unusual is left alone.
void Lane::learn(std::string_view json) {
  if (repeated_ || json.size() > kLongestRecord) return;
  if (has_all_steps_ && ++misses_ % kLearnEvery) return;
  std::vector<Node*> open;  // outside `node`
  std::vector<std::uint32_t> keys;  // since the last value
  Node* node = root_.get();
  std::uint32_t object = kBeginning;
  std::size_t from = 0;  // behind the last value
  for (std::size_t i = 1; (i = behind_space(json, i)) < json.size();) {
    if (json[i] == ',') {
      ++i;
    } else if (json[i] == '}') {
      ++i;
      if (open.empty()) {
        if (i == json.size() && object != kBeginning) add_step(object, json.substr(from), Step::kEnd, {}, nullptr);
        return;
      }
      node = open.back();
      open.pop_back();
    } else {
      if (json[i] != '"') return;
      const std::size_t key_end = string_end(json, i);
      const std::string_view key = json.substr(i + 1, key_end - i - 2);
      Node* const child = key.find('\\') == std::string_view::npos ? node->find(key) : nullptr;
      if (!child) return;
      keys.push_back(key_of(*child));
      i = behind_space(json, key_end);
      if (i >= json.size() || json[i] != ':') return;
      i = behind_space(json, i + 1);
      if (i >= json.size()) return;
      const std::size_t first = behind_space(json, i + 1);
      const bool is_deepest = static_cast<int>(open.size()) + 2 > limits_.deepest;
      if (json[i] == '{' && !is_deepest && !(first < json.size() && json[first] == '}')) {
        open.push_back(node);
        node = child;
        ++i;
        continue;
      }
      if (!node->object) node->object = steps_.add_object();
      if (!add_step(object, json.substr(from, i - from), node->object, keys, child, is_deepest)) return;
      object = node->object;
      keys.clear();
      from = i = value_end(json, i);
    }
  }
}

bool Lane::add_step(std::uint32_t object, std::string_view literal, std::uint32_t to, const std::vector<std::uint32_t>& keys,
                    Node* node, bool is_opaque) {
  const std::uint32_t step = steps_.find_or_add(object, literal, to, keys, is_opaque, node && node->wanted);
  has_all_steps_ |= step == Step::kEnd;
  if (step == Step::kEnd) return false;
  if (step == step_nodes_.size()) step_nodes_.push_back(node);
  return true;
}

std::uint32_t Lane::key_of(Node& node) {
  if (node.number == Node::kNoNumber) {
    // {"a": {"b": 1}} and {"a.b": 1} are one field.
    const auto [known, is_new] = key_numbers_.try_emplace(node.name, 0);
    if (is_new) known->second = steps_.add_key();
    node.number = known->second;
  }
  return node.number;
}

}  // namespace locard
