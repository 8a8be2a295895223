/* A flight recorder: the last system calls of each thread, kept in the kernel, so that they are there when the
 * process has been killed. Each thread has a ring of its own; a call is written when it begins, and completed
 * when it ends: what is not complete had not ended. */
#include "include/target.h"
#include "include/entry.h"
#include "include/told_files.h"

#define NUMBERS 512
#define MOST_TEXT 96

#define EXECVE CALL(59, 221)
#define EXECVEAT CALL(322, 281)

/* What a call's arguments are: a descriptor first, a path first, a folder's descriptor and a path, or a
 * descriptor and an address. */
enum takes { NOTHING, DESCRIPTOR, PATH, FOLDER_AND_PATH, ADDRESS };
const volatile u8 takes[NUMBERS];
const volatile u32 keep = 200;
const volatile u32 most_threads = 256;

struct recorded {
  u64 began_ns, took_ns; /* took 0: it has not ended */
  u64 arguments[6];
  s64 result;
  struct file_key file;
  u32 tid, tgid, number, place;
  char text[MOST_TEXT];
};

/* most_threads times keep, set before it is loaded. Sizes alone: it is read by its own part. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 51200);
  __uint(key_size, sizeof(u32));
  __uint(value_size, sizeof(struct recorded));
} rings SEC(".maps");
struct recorded *rings_row __attribute__((unused));

/* Rings of threads that have ended: given away when there is no fresh one. */
struct {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, 4096);
  __uint(value_size, sizeof(u32));
} used SEC(".maps");

u32 given = 0;

struct recording {
  u64 count;
  u32 ring; /* from 1; 0: it has none yet */
  u32 refused;
  u32 at; /* the entry of the call that runs, from 1 */
  u32 number;
};

struct process_end {
  u64 at_ns;
  u32 tid, tgid, code, pad;
  char comm[COMM];
};
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 16);
} ends SEC(".maps");
struct process_end *ends_event __attribute__((unused));

FOLLOW(recording)

static __always_inline int find_ring(struct recording *mine) {
  if (mine->ring) return 1;
  u32 ring = given < most_threads ? __sync_fetch_and_add(&given, 1) : most_threads;
  if (ring >= most_threads && bpf_map_pop_elem(&used, &ring)) {
    if (!mine->refused) tally(LOST_ENTRY);
    mine->refused = 1;
    return 0;
  }
  mine->ring = ring + 1;
  return 1;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(begin, struct pt_regs *regs, long number) {
  struct task_struct *task = current();
  struct recording *mine = own(task);
  if (!mine) return 0;
  tally(HITS);
  mine->at = 0;
  if (is_32bit(task)) {
    tally(SEEN_32BIT);
    return 0;
  }
  if (!find_ring(mine)) return 0;
  u32 at = (mine->ring - 1) * keep + mine->count % keep;
  struct recorded *row = bpf_map_lookup_elem(&rings, &at);
  if (!row) return 0;
  mine->count++;
  mine->at = at + 1;
  mine->number = number;
  row->took_ns = 0;
  row->result = 0;
  row->file = (struct file_key){};
  row->text[0] = 0;
  row->tid = tid_of(task);
  row->tgid = tgid_of(task);
  row->number = number;
  row->arguments[0] = ARG0(regs);
  row->arguments[1] = ARG1(regs);
  row->arguments[2] = ARG2(regs);
  row->arguments[3] = ARG3(regs);
  row->arguments[4] = ARG4(regs);
  row->arguments[5] = ARG5(regs);
  u8 kind = (u64)number < NUMBERS ? takes[number & (NUMBERS - 1)] : NOTHING;
  if (kind == PATH) bpf_probe_read_user_str(row->text, MOST_TEXT, (const void *)row->arguments[0]);
  if (kind == FOLDER_AND_PATH) bpf_probe_read_user_str(row->text, MOST_TEXT, (const void *)row->arguments[1]);
  if (kind == ADDRESS) bpf_probe_read_user(row->text, 32, (const void *)row->arguments[1]);
  if (kind == DESCRIPTOR || kind == ADDRESS || (kind == FOLDER_AND_PATH && row->text[0] != '/')) {
    struct file *file = (s32)row->arguments[0] < 0 ? 0 : file_of(task, row->arguments[0]);
    if (file) {
      struct file_key key = {};
      key_of(file, &key);
      struct sock *sk = sock_of(file); /* a socket has another name when it is connected */
      if (sk) key.generation = BPF_CORE_READ(sk, __sk_common.skc_dport);
      tell_file((u64)file, &key);
      row->file = key;
    }
  }
  row->began_ns = bpf_ktime_get_ns();
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(end, struct pt_regs *regs, long result) {
  struct task_struct *task = current();
  struct recording *mine = own(task);
  if (!mine || !mine->at) return 0;
  u32 at = mine->at - 1, number = mine->number;
  mine->at = 0;
  struct recorded *row = bpf_map_lookup_elem(&rings, &at);
  if (!row) return 0;
  u64 took = bpf_ktime_get_ns() - row->began_ns;
  row->took_ns = took ? took : 1;
  row->result = result;
  if (row->text[0]) return 0;
  /* It was not in memory when the call began; after a program's start there is another memory. */
  u8 kind = number < NUMBERS ? takes[number & (NUMBERS - 1)] : NOTHING;
  if ((number == EXECVE || number == EXECVEAT) && !is_error(result)) return 0;
  if (kind == PATH) bpf_probe_read_user_str(row->text, MOST_TEXT, (const void *)row->arguments[0]);
  else if (kind == FOLDER_AND_PATH) bpf_probe_read_user_str(row->text, MOST_TEXT, (const void *)row->arguments[1]);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(leaves, struct task_struct *task) {
  struct recording *mine = own(task);
  if (!mine) return 0;
  if (task->pid != task->tgid) {
    u32 ring = mine->ring - 1;
    if (mine->ring) bpf_map_push_elem(&used, &ring, 0);
    return 0;
  }
  struct process_end *event = bpf_ringbuf_reserve(&ends, sizeof *event, 0);
  if (!event) {
    tally(LOST_EVENT);
    return 0;
  }
  event->at_ns = bpf_ktime_get_ns();
  event->tid = tid_of(task);
  event->tgid = tgid_of(task);
  event->code = task->exit_code;
  bpf_probe_read_kernel(event->comm, COMM, task->comm);
  bpf_ringbuf_submit(event, 0);
  return 0;
}
