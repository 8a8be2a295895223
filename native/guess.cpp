// Reading lines by the shape of earlier ones, and learning such shapes.
#include <algorithm>

#include "lane.h"
#include "node.h"

namespace locard {

namespace {

constexpr std::size_t kMostLayouts = 24;
constexpr std::size_t kMostTries = 6;  // a line that fits none of them costs as many tries
constexpr std::uint32_t kLearnEvery = 64;  // lines without a layout, once there are many
constexpr std::size_t kLongestLayout = 64 << 10;

// The end of a JSON string without escapes that begins at `at`: its closing quote, npos if there is none.
std::size_t string_end(std::string_view json, std::size_t at) {
  const std::size_t end = json.find_first_of("\"\\", at + 1);
  return end != std::string_view::npos && json[end] == '"' ? end : std::string_view::npos;
}

}  // namespace

// Tries the line at `at` against the layouts, that of the last line first; `at` is then behind it.
bool Lane::read_by_guess(const char*& at, const char* end) {
  const std::size_t count = layouts_.size();
  for (std::size_t i = 0; i < std::min(count, kMostTries); ++i) {
    const std::size_t which = (likely_ + i) % count;
    const Layout& layout = *layouts_[which];
    const char* line_end = nullptr;
    if (!match_(layout, at, end, found_.data(), &line_end)) continue;
    likely_ = which;
    ++guessed;
    keep_pieces(layout);
    at = line_end + 1;
    return true;
  }
  return false;
}

void Lane::keep_pieces(const Layout& layout) {
  const std::size_t row = rows();
  line_numbers.push_back(static_cast<std::uint32_t>(line_));
  for (std::size_t i = 0; i < layout.slots.size(); ++i) {
    const std::int32_t field = layout.slots[i].field;
    if (field < 0) continue;
    const Piece& piece = found_[i];
    Column& column = fields[static_cast<std::size_t>(field)].column;
    switch (piece.type) {
      case Piece::kString:
        column.set_text(row, {piece.begin, piece.size});
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

// Makes a layout of a line that was read: an object of scalars and of such objects, no field twice.
// What is learned is only a guess about other lines, so whatever is unusual is left alone.
void Lane::learn(std::string_view json) {
  if (repeated_ || json.size() > kLongestLayout) return;
  if (layouts_.size() >= kMostLayouts && ++misses_ % kLearnEvery) return;
  ++learned_;
  auto layout = std::make_unique<Layout>();
  std::vector<Node*> open;
  std::vector<std::int32_t> shared;  // fields that stand at several places of the records
  Node* node = root_.get();
  std::size_t from = 0, i = 1;  // from: behind the last value
  while (i < json.size()) {
    const char c = json[i];
    if (c == ' ' || c == '\t' || c == ',') {
      ++i;
      continue;
    }
    if (c == '}') {
      ++i;
      if (open.empty()) break;
      node = open.back();
      open.pop_back();
      continue;
    }
    if (c != '"') return;
    const std::size_t key_end = string_end(json, i);
    if (key_end == std::string_view::npos) return;
    Node* const child = node->find(json.substr(i + 1, key_end - i - 1));
    if (!child || child->learned == learned_) return;
    child->learned = learned_;
    for (i = key_end + 1; i < json.size() && (json[i] == ':' || json[i] == ' ' || json[i] == '\t'); ++i) {
    }
    if (i >= json.size() || json[i] == '[') return;
    if (json[i] == '{') {
      if (static_cast<int>(open.size()) + 2 > limits_.deepest) return;
      open.push_back(node);
      node = child;
      ++i;
      continue;
    }
    const std::int32_t field = child->wanted ? std::max(field_of(*child), Layout::kNoField) : Layout::kNoField;
    if (child->shares) shared.push_back(field);
    layout->append(json.substr(from, i - from), field);
    if (json[i] == '"') {
      i = string_end(json, i);
      if (i == std::string_view::npos) return;
      ++i;
    } else {
      i = std::min(json.find_first_of(",} \t", i), json.size());
    }
    from = i;
  }
  if (i != json.size() || layout->slots.empty()) return;
  for (const std::int32_t field : shared) {
    if (std::count_if(layout->slots.begin(), layout->slots.end(), [&](const auto& slot) { return slot.field == field; }) > 1) return;
  }
  layout->close(json.substr(from), !limits_.only.empty());
  found_.resize(std::max(found_.size(), layout->slots.size()));
  if (layouts_.size() < kMostLayouts) {
    likely_ = layouts_.size();
    layouts_.push_back(std::move(layout));
  } else {
    likely_ = learned_ % kMostLayouts;
    layouts_[likely_] = std::move(layout);
  }
}

}  // namespace locard
