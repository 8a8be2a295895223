/* System calls at their beginning and end: their numbers on this machine, their arguments, who is 32-bit. */
#ifndef LOCARD_ENTRY_H
#define LOCARD_ENTRY_H

#include "kernel.h"

#define NO_CALL (-2)

#if defined(__TARGET_ARCH_x86)
#define CALL(X86, ARM) (X86)
#else
#define CALL(X86, ARM) (ARM)
#endif

static __always_inline int is_32bit(struct task_struct *task) {
#if defined(__TARGET_ARCH_x86)
  return task->thread_info.status & 2;
#else
  return (task->thread_info.flags >> 22) & 1;
#endif
}

/* The argument `N` (from 0) of a call that begins. */
#if defined(__TARGET_ARCH_x86)
#define ARG0(regs) ((regs)->di)
#define ARG1(regs) ((regs)->si)
#define ARG2(regs) ((regs)->dx)
#define ARG3(regs) ((regs)->r10)
#define ARG4(regs) ((regs)->r8)
#define ARG5(regs) ((regs)->r9)
#else
#define ARG0(regs) ((regs)->regs[0])
#define ARG1(regs) ((regs)->regs[1])
#define ARG2(regs) ((regs)->regs[2])
#define ARG3(regs) ((regs)->regs[3])
#define ARG4(regs) ((regs)->regs[4])
#define ARG5(regs) ((regs)->regs[5])
#endif

#endif
