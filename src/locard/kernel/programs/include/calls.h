/* Calls of functions in user space: what a probe at a function's entry and at its return have to know.
 *
 * A call is told from others of its thread by where its return address lies: at the return the stack pointer
 * is what it was at the entry. So a call that was left by longjmp or by an exception is seen to be gone, and a
 * call inside another one is seen to be inside. */
#ifndef LOCARD_CALLS_H
#define LOCARD_CALLS_H

#include "kernel.h"

#define MOST_FUNCTIONS 2048
#define SELF_TEST 0xffffffffu /* the cookie of our own function, by which the kernel is tried */

/* A cookie: the function's number, whether its return is attached to as well, and what kind of instruction
 * the probe replaces, by which its cost is known. The last numbers are our own functions'. */
#define FUNCTION_OF(cookie) ((u32)(cookie))
#define RETURN_IS_SEEN(cookie) ((u32)((cookie) >> 32) & 1)
#define SITE_OF(cookie) ((u32)((cookie) >> 33) & 3)
#define OWN_FUNCTIONS (MOST_FUNCTIONS - 8)
#define MOST_SITES 4

/* What a probe costs by the kind of its site, in ns: `entry` a call with its entry probed, `both` with its
 * return, too; `shown` what is measured of a call that does nothing. Written before the target is attached to. */
struct costs {
  u32 entry[MOST_SITES], both[MOST_SITES], shown[MOST_SITES];
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, 4);
  __uint(value_size, sizeof(struct costs));
} costs SEC(".maps");

/* ns that the probes took of the target, so far. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, u64);
} spent_ns SEC(".maps");

#if defined(__TARGET_ARCH_x86)
#define FIRST(regs) ((regs)->di)
#define SECOND(regs) ((regs)->si)
#define THIRD(regs) ((regs)->dx)
#define FOURTH(regs) ((regs)->cx)
#define RESULT(regs) ((regs)->ax)
#define STACK_AT_ENTRY(regs) ((regs)->sp)
#define STACK_AT_RETURN(regs) ((regs)->sp - 8) /* `ret` has taken the address away */
#else
#define FIRST(regs) ((regs)->regs[0])
#define SECOND(regs) ((regs)->regs[1])
#define THIRD(regs) ((regs)->regs[2])
#define FOURTH(regs) ((regs)->regs[3])
#define RESULT(regs) ((regs)->regs[0])
#define STACK_AT_ENTRY(regs) ((regs)->sp)
#define STACK_AT_RETURN(regs) ((regs)->sp)
#endif

static __always_inline u64 caller_of(struct pt_regs *regs) {
#if defined(__TARGET_ARCH_x86)
  u64 address = 0;
  bpf_probe_read_user(&address, sizeof address, (void *)regs->sp);
  return address;
#else
  return regs->regs[30];
#endif
}

/* What the kernel puts in place of a return address; 0 where it is not known. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct xol_area {
  unsigned long vaddr;
};
struct uprobes_state {
  struct xol_area *xol_area;
};
struct mm_struct___probed {
  struct uprobes_state uprobes_state;
};
#pragma clang attribute pop

static __always_inline u64 trampoline_of(struct task_struct *task) {
  struct mm_struct___probed *mm = (void *)BPF_CORE_READ(task, mm);
  if (!bpf_core_field_exists(mm->uprobes_state.xol_area) || !bpf_core_field_exists(struct xol_area, vaddr)) return 0;
  struct xol_area *area = BPF_CORE_READ(mm, uprobes_state.xol_area);
  return area ? BPF_CORE_READ(area, vaddr) : 0;
}

/* Whether probes count what our own second thread calls. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, u64);
} self_test SEC(".maps");

static __always_inline void seen_self(void) {
  u32 zero = 0;
  u64 *count = bpf_map_lookup_elem(&self_test, &zero);
  if (count) *count += 1;
}

#endif
