// The keys that a lane has met, as a tree.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace locard {

// Behind the name of a field of arrays and objects: no text has it.
constexpr char kRawMark = '\xFF';

// A key at one place in the records; children in the order in which they were met.
struct Node {
  std::string key;
  std::string name;  // dotted
  bool root = true;
  std::int32_t field = kUnknown;
  bool wanted = true;   // it or something below it
  std::int32_t raw_field = kUnknown;  // of arrays and objects as they are written
  std::uint64_t seen = 0;  // the last try that had this key at the top
  std::uint32_t top = 0;   // and its number there
  std::uint32_t object = 0;          // of `Steps`, 0 if it has none
  std::uint32_t number = kNoNumber;  // its key's there
  std::size_t hint = 0;  // where the next key is likely to be
  std::vector<std::unique_ptr<Node>> children;
  std::map<std::string, Node*, std::less<>> by_key;  // used once there are many

  static constexpr std::int32_t kUnknown = -1;
  static constexpr std::int32_t kLeftOut = -2;
  static constexpr std::uint32_t kNoNumber = 0xFFFFFFFF;
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

}  // namespace locard
