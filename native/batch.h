// Records as columns of text: dictionary-encoded while they are built, Arrow when handed over.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "arrow_abi.h"

namespace locard {

// Different texts and their numbers, in the order in which they came.
class Dictionary {
 public:
  Dictionary();
  std::int32_t code(std::string_view text);
  std::size_t size() const { return offsets_.size() - 1; }
  std::string_view text(std::int32_t code) const;
  const std::vector<std::int32_t>& offsets() const { return offsets_; }
  const std::string& bytes() const { return bytes_; }

 private:
  void grow();

  std::string bytes_;
  std::vector<std::int32_t> offsets_;
  std::vector<std::uint32_t> hashes_;
  std::vector<std::int32_t> slots_;  // code + 1, 0 is free
  std::int32_t last_ = -1;
};

// One field: for each record the code of its text, -1 where it has none.
struct Column {
  std::string name;
  std::vector<std::int32_t> codes;
  Dictionary dictionary;

  void set(std::size_t row, std::string_view text);
};

// The records of one block. `lines` are their line numbers in the source, from 0.
struct Batch {
  std::vector<std::int64_t> lines;
  std::vector<std::unique_ptr<Column>> columns;  // those that have a value in this block

  std::size_t rows() const { return lines.size(); }
};

// A stream of the one batch: column `_n` with the line numbers, then the fields. The batch stays
// alive as long as the stream or an array from it.
void export_stream(std::shared_ptr<const Batch> batch, ArrowArrayStream* out);

}  // namespace locard
