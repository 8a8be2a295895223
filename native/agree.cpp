// What the lanes have found, brought together: their fields, their skeletons, one form for each field.
#include <algorithm>
#include <functional>

#include "node.h"
#include "scanner.h"

namespace locard {

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
    const std::string known_as = field.is_raw ? field.name + kRawMark : field.name;
    auto known = by_name_.find(known_as);
    if (known == by_name_.end() && fields_.size() < limits_.most_fields) {
      known = by_name_.emplace(known_as, fields_.size()).first;
      fields_.push_back({field.name, std::string("c").append(std::to_string(fields_.size())), field.message});
      fields_.back().is_raw = field.is_raw;
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

}  // namespace locard
