// Sequences of equal length, taken apart until each group is one template or a single sequence.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace locard {

class Peeling {
 public:
  using Sequence = std::vector<std::int32_t>;
  using Numbers = std::vector<std::int32_t>;
  enum class Token : std::uint8_t { kMark, kVariable, kWord };

  // How many different tokens at a place make it variable: sequences, the place, whether one is variable.
  struct Group {
    const Sequence& tokens;       // of one of them
    const std::vector<bool>& is_open;  // places that differ
    std::size_t constants;             // words that all of them have
  };
  using Many = std::function<std::size_t(const Group&, std::size_t place, bool variable_there, const Numbers& tokens, const Numbers& members)>;
  using Enough = std::function<bool(const Group&)>;
  using Found = std::function<void(const Numbers& members, const std::vector<std::size_t>& open)>;

  Peeling(const std::vector<const Sequence*>& sequences, std::function<Token(std::int32_t)> kind, Many many, Enough enough, Found found)
      : sequences_(sequences), kind_(std::move(kind)), many_(std::move(many)), enough_(std::move(enough)), found_(std::move(found)) {}

  void run(Numbers members);

 private:
  struct Counts;
  std::int32_t at(std::int32_t member, std::size_t place) const { return (*sequences_[static_cast<std::size_t>(member)])[place]; }
  void resolve(Numbers members, std::vector<std::size_t> open);
  bool is_one(const Numbers& members, const Counts& counts, const std::vector<std::size_t>& open) const;
  bool is_mixture(const Numbers& members, const Counts& counts, const std::vector<std::size_t>& open) const;

  const std::vector<const Sequence*>& sequences_;
  std::function<Token(std::int32_t)> kind_;
  Many many_;
  Enough enough_;
  Found found_;
};

}  // namespace locard
