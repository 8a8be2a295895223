#include "dictionary.h"

#include <random>

namespace locard {

namespace {

constexpr std::size_t kFirstSlots = 64;

const std::uint64_t kSeed = [] {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) ^ device();
}();

std::uint32_t hash(std::string_view text) {
  const std::uint64_t h = hash_of(text, kSeed);
  return static_cast<std::uint32_t>(h ^ (h >> 32));
}

}  // namespace

Dictionary::Dictionary() : offsets_{0}, slots_(kFirstSlots) {}

std::int32_t Dictionary::code(std::string_view text) {
  const std::uint32_t h = hash(text);
  std::size_t mask = slots_.size() - 1;
  std::size_t at = h & mask;
  for (; slots_[at].code; at = (at + 1) & mask) {
    if (slots_[at].hash != h) continue;
    const auto known = static_cast<std::int32_t>(slots_[at].code - 1);
    if (same_text(this->text(known), text)) return known;
  }
  if (2 * (size() + 1) >= slots_.size()) {
    grow();
    mask = slots_.size() - 1;
    for (at = h & mask; slots_[at].code; at = (at + 1) & mask) {
    }
  }
  bytes_.append(text);
  offsets_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  slots_[at] = {h, static_cast<std::uint32_t>(size())};
  return static_cast<std::int32_t>(size()) - 1;
}

std::int32_t Dictionary::find(std::string_view text) const {
  const std::uint32_t h = hash(text);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = h & mask; slots_[at].code; at = (at + 1) & mask) {
    const auto known = static_cast<std::int32_t>(slots_[at].code - 1);
    if (slots_[at].hash == h && same_text(this->text(known), text)) return known;
  }
  return -1;
}

void Dictionary::grow() {
  std::vector<Slot> larger(slots_.size() * 2);
  const std::size_t mask = larger.size() - 1;
  for (const Slot& slot : slots_) {
    if (!slot.code) continue;
    std::size_t at = slot.hash & mask;
    while (larger[at].code) at = (at + 1) & mask;
    larger[at] = slot;
  }
  slots_ = std::move(larger);
}

}  // namespace locard
