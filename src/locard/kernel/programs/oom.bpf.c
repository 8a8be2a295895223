/* Processes that the kernel chooses to kill because memory has run out, on the whole machine: who, how big,
 * below whom, and who asked for memory then. It is so rare that each is an event. */
#include "include/kernel.h"

#define MOST_ABOVE 16

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct trace_event_raw_mark_victim {
  unsigned long total_vm; /* since 6.8, when the event began to hand over the task and not its number */
};
struct mm_struct___size {
  unsigned long total_vm;
};
struct percpu_counter {
  s64 count;
};
struct mm_struct___counters {
  struct percpu_counter rss_stat[4]; /* since 6.2 */
};
struct signal_struct {
  short oom_score_adj;
};
struct task_struct___sized {
  struct mm_struct___size *mm;
  struct signal_struct *signal;
};
#pragma clang attribute pop

struct victim {
  u64 at_ns, total_pages;
  s64 file_pages, anonymous_pages, shared_pages;
  u32 pid, tgid, asked_tgid, counted;
  s32 score_adj;
  u32 depth;
  char comm[COMM], asked_comm[COMM];
  u32 above[MOST_ABOVE + 1]; /* pids of those above it, nearest first */
};
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 16);
} victims SEC(".maps");
struct victim *victims_event __attribute__((unused));

SEC("raw_tp/mark_victim")
int marked(struct bpf_raw_tracepoint_args *context) {
  struct victim *event = bpf_ringbuf_reserve(&victims, sizeof *event, 0);
  if (!event) {
    tally(LOST_EVENT);
    return 0;
  }
  memset(event, 0, sizeof *event);
  tally(HITS);
  event->at_ns = bpf_ktime_get_ns();
  event->asked_tgid = tgid_of(bpf_get_current_task_btf());
  bpf_get_current_comm(event->asked_comm, COMM);
  struct trace_event_raw_mark_victim *form = 0;
  if (!bpf_core_field_exists(form->total_vm)) { /* the number alone */
    event->pid = event->tgid = observer_space ? 0 : context->args[0]; /* whose number it is not from there */
    bpf_ringbuf_submit(event, 0);
    return 0;
  }
  struct task_struct *task = (void *)context->args[0];
  struct task_struct___sized *sized = (void *)task;
  event->pid = tid_read(task);
  event->tgid = tgid_read(task);
  event->score_adj = BPF_CORE_READ(sized, signal, oom_score_adj);
  bpf_probe_read_kernel(event->comm, COMM, &task->comm);
  struct mm_struct___size *mm = BPF_CORE_READ(sized, mm);
  event->total_pages = BPF_CORE_READ(mm, total_vm);
  struct mm_struct___counters *counters = (void *)mm;
  if (bpf_core_field_exists(counters->rss_stat)) { /* without what CPUs hold back: some hundred pages */
    event->counted = 1;
    event->file_pages = BPF_CORE_READ(counters, rss_stat[0].count);
    event->anonymous_pages = BPF_CORE_READ(counters, rss_stat[1].count);
    event->shared_pages = BPF_CORE_READ(counters, rss_stat[3].count);
  }
  struct task_struct *at = task;
  for (int k = 0; k < MOST_ABOVE; k++) {
    at = BPF_CORE_READ(at, real_parent);
    u32 tgid = tgid_read(at);
    if (!tgid) break;
    event->above[k] = tgid;
    event->depth = k + 1;
  }
  bpf_ringbuf_submit(event, 0);
  return 0;
}
