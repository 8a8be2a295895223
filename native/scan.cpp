// Reading a file by several threads.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "scanner.h"
#include "text.h"

namespace locard {

namespace {

constexpr std::size_t kLongestLine = 8 << 20;  // longer ones are left to whoever counts them
constexpr std::size_t kLooks = 64, kFewLooks = 4;  // lines at one place of a block
constexpr std::size_t kLookedBytes = 1 << 16;
constexpr std::size_t kMostShown = 8;  // lines of a block: what has more of them is text
constexpr std::int64_t kBeginning = 8 << 20;

bool contains(std::string_view text, std::string_view word) {
  return memmem(text.data(), text.size(), word.data(), word.size()) != nullptr;
}

// Whether a line may have to be unwrapped. JSON is not, perhaps behind the time and stream of a container
// runtime, and neither is what is indented, as stack traces are. What else is no JSON is `unsure`.
bool is_odd_line(std::string_view line, const std::vector<std::string>& words, bool& unsure) {
  const std::string_view text = trimmed(line);
  if (text.empty()) return false;
  if (text.front() == '{') {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) { return contains(text, word); });
  }
  const std::size_t brace = text.find('{');
  if (line.front() == ' ' || line.front() == '\t') return brace != std::string_view::npos || contains(text, "|");
  Prefix prefix;
  unsure = brace == std::string_view::npos || !split_prefix(trimmed_end(text.substr(0, brace)), prefix);
  return false;
}

}  // namespace

// Looks at lines from the start, the middle and the end of a block. The words are looked for in some
// of them only, but where a log begins. A few lines among JSON are shown to who knows wrappers.
bool is_odd(std::string_view block, const Wrappings& wrappings, bool begins) {
  static const std::vector<std::string> kNoWords;
  const std::size_t last = block.size() - std::min(block.size(), kLookedBytes);
  std::size_t shown = 0;
  for (const std::size_t from : {std::size_t{0}, block.size() / 2, last}) {
    std::string_view rest = block.substr(from);
    if (from) rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
    for (std::size_t i = 0; i < kLooks && !rest.empty(); ++i) {
      const std::size_t newline = std::min(rest.find('\n'), rest.size());
      const std::string_view line = rest.substr(0, newline);
      bool unsure = false;
      if (is_odd_line(line, begins || i < kFewLooks ? wrappings.words : kNoWords, unsure)) return true;
      if (unsure && (++shown > kMostShown || !wrappings.has_line || wrappings.has_line(line))) return true;
      rest.remove_prefix(std::min(newline + 1, rest.size()));
    }
  }
  // Lines that a container runtime has cut are put together by the caller.
  return !block.empty() && block.front() != '{' && (contains(block, " stdout P ") || contains(block, " stderr P "));
}

namespace {

// The next blocks of a file, for whichever thread asks. Reading is a small part of the work.
class Blocks {
 public:
  Blocks(int file, std::int64_t offset, std::int64_t end, std::int64_t until, std::size_t size, const Wrappings& wrappings)
      : file_(file), end_(end), until_(until), size_(size), wrappings_(wrappings), stop_{offset} {}

  // Whole lines into `buffer`, padded; false at the end. `count` goes up by one for each block.
  bool next(std::vector<char>& buffer, std::size_t& size, std::uint64_t& count, std::uint64_t& number, std::int64_t& offset) {
    const std::lock_guard locked(mutex_);
    if (ended_ || stop_.offset >= until_) return false;
    for (std::size_t want = size_;; want *= 2) {
      want = static_cast<std::size_t>(std::min<std::int64_t>(static_cast<std::int64_t>(want), end_ - stop_.offset));
      if (buffer.size() < want + kReadsBeyond) buffer.resize(want + kReadsBeyond);
      size = fill(buffer.data(), want);
      const bool last = size < want || stop_.offset + static_cast<std::int64_t>(want) == end_;
      const void* newline = memrchr(buffer.data(), '\n', size);
      if (newline) size = static_cast<std::size_t>(static_cast<const char*>(newline) - buffer.data()) + 1;
      if (newline && size > 0) break;
      // The rest of the file without a newline, or a very long line, is the caller's.
      if (last || want >= kLongestLine || size == 0) return !(ended_ = true);
    }
    if (is_odd({buffer.data(), size}, wrappings_, stop_.offset < kBeginning)) {
      stop_.odd = ended_ = true;
      return false;
    }
    offset = stop_.offset;
    stop_.offset += static_cast<std::int64_t>(size);
    number = count++;
    return true;
  }

  const Scanner::Stop& stop() const { return stop_; }

 private:
  std::size_t fill(char* out, std::size_t want) {
    std::size_t got = 0;
    while (got < want) {
      const ssize_t n = pread(file_, out + got, want - got, stop_.offset + static_cast<std::int64_t>(got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) stop_.error = errno;
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
    return got;
  }

  int file_;
  std::int64_t end_, until_;
  std::size_t size_;
  const Wrappings& wrappings_;
  std::mutex mutex_;
  Scanner::Stop stop_;
  bool ended_ = false;
};

// Runs `work(0)` to `work(count - 1)` in a thread each, or in as many as there can be. What one of
// them throws is thrown once all have ended.
template <typename Work>
void run(std::size_t count, Work work) {
  std::vector<std::exception_ptr> thrown(count);
  const auto guarded = [&](std::size_t which) {
    try {
      work(which);
    } catch (...) {
      thrown[which] = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(count);
  try {
    for (std::size_t i = 1; i < count; ++i) threads.emplace_back(guarded, i);
  } catch (const std::system_error&) {  // no more of them
  }
  guarded(0);
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : thrown) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace

Scanner::Stop Scanner::scan(int file, std::int64_t offset, std::int64_t end, std::int64_t most,
                            const Wrappings& wrappings) {
  Blocks blocks(file, offset, end, std::min(end, offset + most), limits_.block, wrappings);
  const auto work = [&](std::size_t which) {
    Lane& lane = *lanes_[which];
    std::vector<char> buffer;
    std::size_t size = 0;
    std::uint64_t number = 0;
    std::int64_t at = 0;
    while (blocks.next(buffer, size, blocks_, number, at)) {
      lane.read({buffer.data(), size}, buffer.data() + buffer.size(), number);
      lane.chunks.back().offset = at;
      lane.chunks.back().size = static_cast<std::int64_t>(size);
    }
  };
  std::vector<std::size_t> before;
  for (const auto& lane : lanes_) before.push_back(lane->chunks.size());
  const std::int64_t size = std::min(end - offset, most) / static_cast<std::int64_t>(limits_.block);
  run(std::min(lanes_.size(), static_cast<std::size_t>(std::max<std::int64_t>(size, 0)) + 1), work);
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    for (std::size_t c = before[i]; c < lanes_[i]->chunks.size(); ++c) {
      lines_ += lanes_[i]->chunks[c].lines;
      records_ += static_cast<std::int64_t>(lanes_[i]->chunks[c].rows);
    }
  }
  Stop stop = blocks.stop();
  if (stop.offset > offset) stop.error = 0;  // the next call finds it again; what was read is not lost
  return stop;
}

}  // namespace locard
