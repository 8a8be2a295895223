// Templates of messages that come in rows of Arrow: those of lines of text, once they are in a table.
#pragma once

#include <memory>

#include "batch.h"
#include "templates.h"

namespace locard {

// Adds the messages of a stream with two columns, the number of the row (64 bits) and its message (UTF-8).
// Gives for each row that has one the number of its skeleton + 1 as column `said`; 0 is one of too many.
// Throws std::runtime_error where the stream is another, or fails.
std::shared_ptr<const Batch> add_rows(Templates& templates, ArrowArrayStream& stream);

}  // namespace locard
