/* Time that threads wait for Python's global interpreter lock.
 *
 * CPython waits for it in pthread_cond_timedwait, in slices of the switch interval, and for nothing else that
 * way. A probe at its entry says which condition variable the interpreter's own code waits at; the futex call on
 * that variable is then the wait. So it works on stripped builds, and no return is attached to: a thread
 * that is cancelled in there would not survive it. */
#include "include/target.h"
#include "include/calls.h"

#define MOST_RANGES 8
#define CONDITION 48 /* bytes of a pthread_cond_t */
#define TIMED_OUT (-110)
#define APART_NS 1000000 /* a slice that begins later than this after one that timed out is another wait */

#if defined(__TARGET_ARCH_x86)
#define FUTEX 202
#else
#define FUTEX 98
#endif

struct waiting {
  u64 condition, began, sum, ended; /* sum: of its slices that have ended */
};
FOLLOW(waiting)

/* By process, where the code of the interpreter lies. */
struct ranges {
  u64 from[MOST_RANGES], to[MOST_RANGES];
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __uint(key_size, 4);
  __uint(value_size, sizeof(struct ranges));
} interpreters SEC(".maps");

struct sums {
  u64 count, total_ns, max_ns;
  u32 slots[SLOTS];
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 8192);
  __type(key, u32);
  __type(value, struct sums);
} gil SEC(".maps");

static __always_inline int of_interpreter(u64 caller) {
  u32 tgid = tgid_of(bpf_get_current_task_btf());
  struct ranges *ranges = bpf_map_lookup_elem(&interpreters, &tgid);
  if (!ranges) return 0;
  for (u32 k = 0; k < MOST_RANGES; k++)
    if (caller >= ranges->from[k] && caller < ranges->to[k]) return 1;
  return 0;
}

static __always_inline int entered(struct pt_regs *regs) {
  u64 cookie = bpf_get_attach_cookie(regs);
  if (cookie == SELF_TEST) {
    seen_self();
    return 0;
  }
  if (FUNCTION_OF(cookie) >= OWN_FUNCTIONS) return 0;
  tally(HITS);
  struct waiting *mine = own(current());
  if (mine && of_interpreter(caller_of(regs))) mine->condition = FIRST(regs);
  return 0;
}

SEC("uprobe.multi") int enter_multi(struct pt_regs *regs) { return entered(regs); }
SEC("uprobe") int enter(struct pt_regs *regs) { return entered(regs); }

static __always_inline void count_wait(u32 tid, struct waiting *mine) {
  struct sums *sums = bpf_map_lookup_elem(&gil, &tid);
  if (!sums) {
    static const struct sums none;
    bpf_map_update_elem(&gil, &tid, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&gil, &tid);
    if (!sums) {
      tally(LOST_ENTRY);
      return;
    }
  }
  u64 took = mine->sum;
  mine->sum = 0;
  sums->count++;
  sums->total_ns += took;
  if (took > sums->max_ns) sums->max_ns = took;
  sums->slots[slot_of(took)]++;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(call_begins, struct pt_regs *regs, long number) {
  struct task_struct *task = current();
  struct waiting *mine = own(task);
  if (!mine || number != FUTEX || !mine->condition) return 0;
  u64 address = FIRST(regs), op = SECOND(regs) & 0x7f;
  if (op != 0 && op != 9) return 0; /* it wakes others */
  if (address < mine->condition || address >= mine->condition + CONDITION) return 0;
  u64 now = bpf_ktime_get_ns();
  if (mine->sum && now - mine->ended > APART_NS) count_wait(tid_of(task), mine);
  mine->began = now;
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(call_ends, struct pt_regs *regs, long result) {
  struct task_struct *task = current();
  struct waiting *mine = own(task);
  if (!mine || !mine->began) return 0;
  mine->ended = bpf_ktime_get_ns();
  mine->sum += mine->ended - mine->began;
  mine->began = 0;
  if (result != TIMED_OUT) count_wait(tid_of(task), mine);
  return 0;
}

/* The waits that have not ended, at the end of the look. */
struct open_wait {
  u64 began, sum;
  u32 tid, tgid;
};
SEC("iter/task") int open_waits(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  if (!task) return 0;
  struct waiting *mine = bpf_task_storage_get(&threads, task, 0, 0);
  if (!mine || (!mine->began && !mine->sum)) return 0;
  struct open_wait row = {.began = mine->began, .sum = mine->sum, .tid = tid_of(task), .tgid = tgid_of(task)};
  bpf_seq_write(context->meta->seq, &row, sizeof row);
  return 0;
}
struct open_wait *open_waits_row __attribute__((unused));
