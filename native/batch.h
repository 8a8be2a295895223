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
  std::int32_t find(std::string_view text) const;  // -1 if it is none of them
  std::int32_t append(std::string_view text);  // without a look whether it is there; not found later
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

// One field: for each record the code of its text, -1 where it has none. Where nearly every text is
// different, looking for equal ones costs more than all the rest: `plain` columns do not.
struct Column {
  std::string name;
  std::vector<std::int32_t> codes;
  Dictionary dictionary;
  bool plain = false;
  std::size_t few = 1024;  // among fewer different texts equal ones are found at once
  bool in_order = false;  // the codes are 0, 1, 2, … besides the -1

  void set(std::size_t row, std::string_view text);
  // Whether so many different texts were among so many records that it had better be plain.
  bool is_diverse() const;
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
