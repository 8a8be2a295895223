// For any processor of the architecture that this is compiled for.
#include "match.h"

#include "json_text.h"

namespace locard {

#if defined(LOCARD_AVX2)
Match match_avx2();
#endif

bool is_sound(const char* begin, const char* end) { return is_valid_json({begin, static_cast<std::size_t>(end - begin)}); }

Match fastest_match() {
#if defined(LOCARD_AVX2)
  if (__builtin_cpu_supports("avx2")) return match_avx2();
#endif
  return match;
}

}  // namespace locard
