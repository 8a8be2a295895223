#include "layout.h"

namespace locard {

void Layout::append(std::string_view literal, std::int32_t field) {
  slots.push_back({static_cast<std::uint32_t>(text.size()), static_cast<std::uint32_t>(literal.size()), field});
  text.append(literal);
}

void Layout::close(std::string_view literal, bool skips) {
  after_at = static_cast<std::uint32_t>(text.size());
  after_size = static_cast<std::uint32_t>(literal.size());
  text.append(literal);
  // A search by key needs a flat object: the same key may stand deeper.
  const bool flat = text.find_first_of("{[", 1) == std::string::npos && text.find('}') + 1 == text.size();
  if (skips && flat) {
    std::size_t unwanted = slots.size();  // those at the end
    while (unwanted > 0 && slots[unwanted - 1].field == kNoField) --unwanted;
    ends_early = unwanted < slots.size();
    slots.resize(unwanted);
    for (std::size_t i = slots.size(), next = 0; i-- > 0;) {
      if (slots[i].field != kNoField) next = i;
      // What is searched for begins with a comma, a quote and two bytes of a key.
      else if (slots[next].size >= 4 && text[slots[next].at] == ',' && text[slots[next].at + 1] == '"') slots[i].next = static_cast<std::uint32_t>(next);
    }
  }
  text.append(kReadsBeyond, '\0');
}

}  // namespace locard
