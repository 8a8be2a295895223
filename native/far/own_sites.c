/* Functions of our own to attach to: by them the cost of a probe is measured where it will be paid.
 *
 * What a probe costs depends on the instruction that it replaces: the kernel emulates a `push`, and steps
 * through most others by a debug trap, which is ten times as dear on some virtual machines. Two of each kind,
 * since one is probed at its entry only and the other at its return, too. */
#include "far.h"

#include <stdlib.h>
#include <time.h>

#define CALLS 40
#define BATCHES 9

#if defined(__x86_64__)
#define SITE(NAME, BODY)                                                                                    \
  __asm__(".text\n.balign 32\n.type " #NAME ", @function\n" #NAME ":\n" BODY "ret\n.size " #NAME ", .-" #NAME "\n"); \
  extern void NAME(void) __attribute__((visibility("hidden")));
SITE(far_site_push_1, "push %rbp\npop %rbp\n")
SITE(far_site_push_2, "push %rbp\npop %rbp\n")
SITE(far_site_endbr_1, "endbr64\n")
SITE(far_site_endbr_2, "endbr64\n")
SITE(far_site_step_1, "sub $8, %rsp\nadd $8, %rsp\n")
SITE(far_site_step_2, "sub $8, %rsp\nadd $8, %rsp\n")
#else
#define SITE(NAME) __attribute__((noinline)) static void NAME(void) { __asm__ volatile(""); }
SITE(far_site_push_1)
SITE(far_site_push_2)
SITE(far_site_endbr_1)
SITE(far_site_endbr_2)
SITE(far_site_step_1)
SITE(far_site_step_2)
#endif

static void (*const sites[])(void) = {far_site_push_1, far_site_push_2, far_site_endbr_1,
                                      far_site_endbr_2, far_site_step_1, far_site_step_2};

const void *far_own_site(int which) { return which >= 0 && which < 6 ? (const void *)sites[which] : NULL; }

static int ascending(const void *left, const void *right) {
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return (a > b) - (a < b);
}

int64_t far_time_site(int which) {
  int64_t took[BATCHES];
  if (!far_own_site(which)) return -1;
  void (*volatile site)(void) = sites[which];
  for (int batch = 0; batch < BATCHES; batch++) {
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int k = 0; k < CALLS; k++) site();
    clock_gettime(CLOCK_MONOTONIC, &to);
    took[batch] = ((to.tv_sec - from.tv_sec) * 1000000000LL + (to.tv_nsec - from.tv_nsec)) / CALLS;
  }
  qsort(took, BATCHES, sizeof *took, ascending);
  return took[BATCHES / 2];
}
