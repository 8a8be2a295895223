// Compiled with AVX2 and BMI and called only where the processor has them.
#include "mask.h"

namespace locard {

Masker masker_avx2() { return mask; }

}  // namespace locard
