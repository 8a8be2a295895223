/* Where the target's threads leave their CPU and are not back for long: time by stack, and, where asked, by
 * the stack of who woke them. A thread that is put aside while it could run is no wait: run_queue has those.
 *
 * A stack is taken when a thread leaves, as nobody knows then how long it stays away. The time lasts until it
 * runs again: what it waits for a CPU after being woken is a part of it, summed as well. */
#include "include/target.h"

#define TASK_RUNNING 0
#define TASK_UNINTERRUPTIBLE 2
#define TASK_STOPPED 12 /* stopped or traced */
#define TASK_DEAD 0xf0
#define NOT_ASLEEP 0xaf0 /* dead, or about to run */
#define DEPTH 127

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct___placed {
  int on_cpu;
};
#pragma clang attribute pop

const volatile u64 min_ns = 1000000;
const volatile u32 wakers = 0;

enum { SLEEPS, WAITS_FIRMLY, STOPPED };

struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, 16384);
  __uint(key_size, sizeof(u32));
  __uint(value_size, DEPTH * sizeof(u64));
} stack_traces SEC(".maps");

struct away {
  u64 since, woken; /* since 0: it runs */
  s32 user, kernel, waker_user, waker_kernel;
  u32 state, waker_tgid;
  u32 before, pad; /* it left before we came: `since` is when we did, and nobody took a stack */
};

struct by_stack {
  u32 tgid, tid;
  s32 user, kernel, waker_user, waker_kernel;
  u32 waker_tgid, state;
};
struct times {
  u64 count, total_ns, max_ns, ready_ns;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, struct by_stack);
  __type(value, struct times);
} off_cpu SEC(".maps");

/* By thread, all waits however short. */
struct totals {
  u64 count, total_ns, max_ns, firm_ns, before_ns; /* before: of a wait that began before we came */
  u32 tgid, pad;
  u32 slots[SLOTS];
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, u32);
  __type(value, struct totals);
} totals SEC(".maps");

static const struct totals no_totals;

FOLLOW(away)

static __always_inline u32 kind_of(u32 state) {
  return state & TASK_STOPPED ? STOPPED : state & TASK_UNINTERRUPTIBLE ? WAITS_FIRMLY : SLEEPS;
}

/* Threads that are away when we come, run once when all is attached: their wait counts from now on. */
SEC("iter/task") int already(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  if (!task) return 0;
  struct away *mine = bpf_task_storage_get(&threads, task, 0, 0);
  struct task_struct___placed *placed = (void *)task;
  u32 state = task->__state;
  if (!mine || mine->since || state == TASK_RUNNING || state & NOT_ASLEEP || BPF_CORE_READ(placed, on_cpu)) return 0;
  mine->user = mine->kernel = mine->waker_user = mine->waker_kernel = -1;
  mine->state = kind_of(state);
  mine->before = 1;
  mine->since = bpf_ktime_get_ns();
  return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(waking, struct task_struct *task) {
  struct away *mine = own(task);
  if (!mine || !mine->since) return 0;
  mine->woken = bpf_ktime_get_ns();
  if (!wakers) return 0;
  mine->waker_user = bpf_get_stackid(ctx, &stack_traces, BPF_F_USER_STACK);
  mine->waker_kernel = bpf_get_stackid(ctx, &stack_traces, 0);
  mine->waker_tgid = tgid_of(current());
  return 0;
}

static __always_inline void came_back(struct task_struct *task, struct away *mine) {
  u64 now = bpf_ktime_get_ns(), took = now - mine->since;
  u32 tid = tid_of(task);
  tally(HITS);
  struct totals *sums = bpf_map_lookup_elem(&totals, &tid);
  if (!sums) {
    bpf_map_update_elem(&totals, &tid, &no_totals, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&totals, &tid);
  }
  if (sums) {
    sums->tgid = tgid_of(task);
    sums->count++;
    sums->total_ns += took;
    sums->slots[slot_of(took)]++;
    if (took > sums->max_ns) sums->max_ns = took;
    if (mine->state == WAITS_FIRMLY) sums->firm_ns += took;
  } else tally(LOST_ENTRY);
  if (mine->before) {
    if (sums) sums->before_ns = took;
    return;
  }
  if (took < min_ns) return;
  struct by_stack key = {.tgid = tgid_of(task), .tid = tid, .user = mine->user, .kernel = mine->kernel,
                         .waker_user = mine->waker_user, .waker_kernel = mine->waker_kernel,
                         .waker_tgid = mine->waker_tgid, .state = mine->state};
  struct times *times = bpf_map_lookup_elem(&off_cpu, &key);
  if (!times) {
    struct times none = {};
    bpf_map_update_elem(&off_cpu, &key, &none, BPF_NOEXIST);
    times = bpf_map_lookup_elem(&off_cpu, &key);
    if (!times) {
      tally(LOST_ENTRY);
      return;
    }
  }
  times->count++; /* a thread is on one CPU at a time */
  times->total_ns += took;
  if (mine->woken) times->ready_ns += now - mine->woken;
  if (took > times->max_ns) times->max_ns = took;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switches, int preempted, struct task_struct *previous, struct task_struct *next) {
  struct away *left = own(previous);
  if (left) {
    u32 state = previous->__state;
    left->since = left->before = 0;
    if (!preempted && state != TASK_RUNNING && !(state & TASK_DEAD)) {
      left->user = bpf_get_stackid(ctx, &stack_traces, BPF_F_USER_STACK);
      left->kernel = bpf_get_stackid(ctx, &stack_traces, 0);
      left->waker_user = left->waker_kernel = -1;
      left->waker_tgid = 0;
      left->woken = 0;
      left->state = kind_of(state);
      left->since = bpf_ktime_get_ns();
    }
  }
  struct away *mine = own(next);
  if (mine && mine->since) {
    came_back(next, mine);
    mine->since = mine->before = 0;
  }
  return 0;
}

/* Threads that are away when the look is over; their waits end here. */
struct still_away {
  u64 since, before;
  struct by_stack key;
};
SEC("iter/task") int blocked(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  if (!task) return 0;
  struct away *mine = bpf_task_storage_get(&threads, task, 0, 0);
  struct task_struct___placed *placed = (void *)task;
  if (!mine || !mine->since || BPF_CORE_READ(placed, on_cpu)) return 0;
  struct still_away row = {.since = mine->since, .before = mine->before};
  row.key = (struct by_stack){.tgid = tgid_of(task), .tid = tid_of(task), .user = mine->user, .kernel = mine->kernel,
                              .waker_user = -1, .waker_kernel = -1, .state = mine->state};
  mine->since = mine->before = 0;
  bpf_seq_write(context->meta->seq, &row, sizeof row);
  return 0;
}
struct still_away *blocked_row __attribute__((unused));
