/* How long the target's threads wait for a CPU when they could run: from being woken, or from being put
 * aside while running, to running. By thread, and by who ran on that CPU instead. */
#include "include/target.h"

#define TASK_RUNNING 0

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct___placed {
  int on_cpu;
};
#pragma clang attribute pop

struct ready {
  u64 since; /* 0: it runs or sleeps */
  u32 aside; /* put aside while running */
  u32 unused;
};

struct waits {
  u64 count, total_ns, max_ns, aside, aside_ns;
  u32 tgid, pad;
  u32 slots[SLOTS];
};
/* By thread: changed only when it is put on a CPU. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, u32);
  __type(value, struct waits);
} waits SEC(".maps");

/* Who had the CPU until then. `ours`: another thread of the target; tgid 0: nobody, it was idle. */
struct by_other {
  u32 tgid, ours;
  char comm[COMM];
};
struct behind {
  u64 count, total_ns, max_ns;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2048);
  __type(key, struct by_other);
  __type(value, struct behind);
} others SEC(".maps");

static const struct waits none;

FOLLOW(ready)

static __always_inline int woken(struct task_struct *task) {
  struct ready *mine = own(task);
  if (!mine) return 0;
  mine->since = bpf_ktime_get_ns();
  mine->aside = 0;
  return 0;
}

SEC("tp_btf/sched_wakeup") int BPF_PROG(wakes, struct task_struct *task) { return woken(task); }

SEC("tp_btf/sched_wakeup_new") int BPF_PROG(wakes_new, struct task_struct *task) { return woken(task); }

static __always_inline void count_other(struct task_struct *other, u64 waited, int ours) {
  struct by_other key = {.tgid = tgid_of(other), .ours = ours};
  if (other->pid) bpf_probe_read_kernel(key.comm, COMM, other->comm);
  struct behind *sums = bpf_map_lookup_elem(&others, &key);
  if (!sums) {
    struct behind empty = {};
    bpf_map_update_elem(&others, &key, &empty, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&others, &key);
    if (!sums) {
      tally(LOST_ENTRY);
      return;
    }
  }
  __sync_fetch_and_add(&sums->count, 1);
  __sync_fetch_and_add(&sums->total_ns, waited);
  if (waited > sums->max_ns) sums->max_ns = waited;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switches, int preempted, struct task_struct *previous, struct task_struct *next) {
  u64 now = bpf_ktime_get_ns();
  struct ready *left = own(previous);
  if (left) {
    int runs_on = preempted || previous->__state == TASK_RUNNING;
    left->since = runs_on ? now : 0;
    left->aside = runs_on;
  }
  struct ready *mine = own(next);
  if (!mine) return 0;
  u64 since = mine->since;
  mine->since = 0;
  if (!since) return 0;
  tally(HITS);
  u64 waited = now - since;
  u32 tid = tid_of(next);
  struct waits *sums = bpf_map_lookup_elem(&waits, &tid);
  if (!sums) {
    bpf_map_update_elem(&waits, &tid, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&waits, &tid);
    if (!sums) {
      tally(LOST_ENTRY);
      return 0;
    }
    sums->tgid = tgid_of(next);
  }
  sums->count++;
  sums->total_ns += waited;
  sums->slots[slot_of(waited)]++;
  if (waited > sums->max_ns) sums->max_ns = waited;
  if (mine->aside) {
    sums->aside++;
    sums->aside_ns += waited;
  }
  count_other(previous, waited, left != 0);
  return 0;
}

/* Threads that wait when the look is over. */
struct waiting {
  u64 since;
  u32 tid, tgid;
};
SEC("iter/task") int blocked(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  if (!task) return 0;
  struct ready *mine = bpf_task_storage_get(&threads, task, 0, 0);
  struct task_struct___placed *placed = (void *)task;
  if (!mine || !mine->since || BPF_CORE_READ(placed, on_cpu)) return 0;
  struct waiting row = {.since = mine->since, .tid = tid_of(task), .tgid = tgid_of(task)};
  bpf_seq_write(context->meta->seq, &row, sizeof row);
  return 0;
}
struct waiting *blocked_row __attribute__((unused));
