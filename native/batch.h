// Records on their way out: columns of Arrow, ready to be handed over.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "arrow_abi.h"
#include "forms.h"
#include "room.h"

namespace locard {

// One column of one part of a batch. Which of the buffers are used tells the kind of its `BatchField`:
// codes have no validity (0 is none), texts have offsets.
struct OutColumn {
  std::vector<std::uint16_t> codes;
  std::vector<std::int64_t> integers;
  std::vector<double> doubles;
  std::vector<std::uint8_t> ids;  // 16 a row, the first byte first
  std::vector<std::int32_t> offsets;
  std::string bytes;
  std::vector<std::uint8_t> validity;  // a bit a row, empty if there is no null
  std::int64_t nulls = 0;
};

struct BatchField {
  std::string name;
  Kind kind;
};

// Rows of one lane. `numbers` are their line numbers in the source, from 0.
struct BatchPart {
  std::vector<std::int64_t> numbers;
  std::vector<OutColumn> columns;
};

struct Batch {
  // `spare` gets the room of its texts when it is done with.
  explicit Batch(std::shared_ptr<SpareRoom> spare = nullptr) : spare_(std::move(spare)) {}
  ~Batch();
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  std::vector<BatchField> fields;
  std::vector<BatchPart> parts;

  std::size_t rows() const {
    std::size_t sum = 0;
    for (const BatchPart& part : parts) sum += part.numbers.size();
    return sum;
  }

 private:
  std::shared_ptr<SpareRoom> spare_;
};

// A stream of the parts: column `_n` with the line numbers, then the fields. The batch stays alive as
// long as the stream or an array from it. Codes are unsigned 16 bits, times are nanoseconds.
void export_stream(std::shared_ptr<const Batch> batch, ArrowArrayStream* out);

}  // namespace locard
