#include "dictionary.h"

#include <random>

namespace locard {

namespace {

constexpr std::size_t kFirstSlots = 64;

const std::uint64_t kSeed = [] {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) ^ device();
}();

// Both halves of the product of two words.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::uint64_t hash_of(std::string_view text, std::uint64_t seed) {
  const char* p = text.data();
  std::size_t left = text.size();
  std::uint64_t h = seed ^ (left * 0x9E3779B97F4A7C15ULL);
  for (; left > 16; p += 16, left -= 16) {
    h = mix(load<std::uint64_t>(p) ^ h, load<std::uint64_t>(p + 8) ^ 0xD6E8FEB86659FD93ULL);
  }
  // Two words that overlap cover any rest without a loop, reaching back where there is something.
  std::uint64_t a = 0, b = 0;
  if (text.size() >= 16) {
    a = load<std::uint64_t>(p + left - 16);
    b = load<std::uint64_t>(p + left - 8);
  } else if (left >= 8) {
    a = load<std::uint64_t>(p);
    b = load<std::uint64_t>(p + left - 8);
  } else if (left >= 4) {
    a = load<std::uint32_t>(p);
    b = load<std::uint32_t>(p + left - 4);
  } else if (left > 0) {
    a = static_cast<std::uint8_t>(p[0]) | static_cast<std::uint64_t>(static_cast<std::uint8_t>(p[left / 2])) << 8 |
        static_cast<std::uint64_t>(static_cast<std::uint8_t>(p[left - 1])) << 16;
  }
  return mix(a ^ h, b ^ 0x9E3779B97F4A7C15ULL);
}

namespace {

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
