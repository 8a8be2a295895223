// Compiled with AVX2 and called only where the processor has it.
#include "match.h"

namespace locard {

Match match_avx2() { return match; }

}  // namespace locard
