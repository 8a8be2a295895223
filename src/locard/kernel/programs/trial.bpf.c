/* One small program of each kind, to see by loading and attaching what this kernel takes. Each does nothing. */
#define KINDS_ONLY
#include "include/kernel.h"

SEC("tp_btf/sched_process_exit") int typed_tracepoint(u64 *context) { return 0; }
SEC("raw_tp/sched_process_exit") int raw_tracepoint(struct bpf_raw_tracepoint_args *context) { return 0; }
SEC("tracepoint/sched/sched_process_exit") int tracepoint(void *context) { return 0; }
SEC("iter/task") int iterator(struct bpf_iter__task *context) { return 0; }
SEC("kprobe/do_exit") int kprobe(void *context) { return 0; }
SEC("fentry/do_exit") int fentry(u64 *context) { return 0; }
SEC("uprobe") int function_entry(void *context) { return 0; }
SEC("uprobe.multi") int function_entries(void *context) { return 0; }
SEC("perf_event") int clock(void *context) { return 0; }

/* A map by task, and a ring: what every program of ours needs. */
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, u64);
} threads SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");
