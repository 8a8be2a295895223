// For any processor of the architecture that this is compiled for.
#include "mask.h"

namespace locard {

#if defined(LOCARD_AVX2)
Masker masker_avx2();
#endif

Masker plain_masker() { return mask; }

Masker fastest_masker() {
#if defined(LOCARD_AVX2)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) return masker_avx2();
#endif
  return mask;
}

}  // namespace locard
