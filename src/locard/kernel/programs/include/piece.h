/* A piece of a thread's stack with its registers: what the place unwinds by the files' own tables, for code
 * that keeps no frame pointers (most distributions' C libraries and Pythons). */
#ifndef LOCARD_PIECE_H
#define LOCARD_PIECE_H

#include "kernel.h"

#define MOST_PIECE 16384
#define MOST_KERNEL 64
#define MOST_USER 127
#define PAGE 4096

struct piece {
  u32 tid, tgid, size, kernel_frames, user_frames, pad;
  u64 weight;
  u64 ip, sp, bp, bx, r12, r13, r14, r15;
  u64 kernel[MOST_KERNEL], user[MOST_USER]; /* user: by frame pointers */
  u8 stack[MOST_PIECE];
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, 4);
  __uint(value_size, sizeof(struct piece));
} scratch SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 8 << 20);
} pieces SEC(".maps");
struct piece *pieces_event __attribute__((unused));

/* The piece of this CPU, filled for the current thread; NULL never in practice. */
static __always_inline struct piece *take_piece(void *context, struct task_struct *task) {
  u32 zero = 0;
  struct piece *piece = bpf_map_lookup_elem(&scratch, &zero);
  if (!piece) return 0;
  piece->tid = tid_of(task);
  piece->tgid = tgid_of(task);
  piece->weight = 1;
  long got = bpf_get_stack(context, piece->kernel, sizeof piece->kernel, 0);
  piece->kernel_frames = got > 0 ? got / 8 : 0;
  got = bpf_get_stack(context, piece->user, sizeof piece->user, BPF_F_USER_STACK);
  piece->user_frames = got > 0 ? got / 8 : 0;
  piece->size = 0;
#if defined(__TARGET_ARCH_x86)
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  piece->ip = regs->ip;
  piece->sp = regs->sp;
  piece->bp = regs->bp;
  piece->bx = regs->bx;
  piece->r12 = regs->r12;
  piece->r13 = regs->r13;
  piece->r14 = regs->r14;
  piece->r15 = regs->r15;
  /* To the end of the page, then by pages, as far as the stack goes. */
  u64 at = piece->sp;
  u32 size = 0;
  for (int k = 0; k < MOST_PIECE / PAGE; k++) {
    u32 part = PAGE - (at & (PAGE - 1));
    if (part > PAGE || size > MOST_PIECE - PAGE) break;
    if (bpf_probe_read_user(piece->stack + size, part, (void *)at)) break;
    size += part;
    at += part;
  }
  piece->size = size;
#endif
  return piece;
}

/* Send it; what it takes is its head and what was read of the stack. */
static __always_inline int send_piece(struct piece *piece) {
  u32 size = __builtin_offsetof(struct piece, stack) + piece->size;
  if (size > sizeof *piece) size = sizeof *piece;
  return bpf_ringbuf_output(&pieces, piece, size, 0) ? -1 : 0;
}

#endif
