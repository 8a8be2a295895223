/* Reads and writes of files by the target: by file, direction and thread, with those that took long.
 *
 * Only what has a place on a file system counts as a file: pipes, sockets and terminals wait for somebody
 * else and not for a disk; they are summed apart, by kind. */
#include "include/target.h"
#include "include/entry.h"
#include "include/told_files.h"

#define READ CALL(0, 63)
#define WRITE CALL(1, 64)
#define PREAD64 CALL(17, 67)
#define PWRITE64 CALL(18, 68)
#define READV CALL(19, 65)
#define WRITEV CALL(20, 66)
#define PREADV CALL(295, 69)
#define PWRITEV CALL(296, 70)
#define PREADV2 CALL(327, 286)
#define PWRITEV2 CALL(328, 287)
#define GETDENTS CALL(78, NO_CALL)
#define GETDENTS64 CALL(217, 61)
#define SENDFILE CALL(40, 71)
#define ANONYMOUS 0x09041934 /* a file system of descriptors that are no files */
#define COPY_FILE_RANGE CALL(326, 285)

const volatile u64 slow_ns = 10000000;

enum direction { READS, WRITES, LISTS };

struct transfer {
  u64 began, asked;
  long long at;
  struct file_key key;
  u32 direction, kind, number, pad;
};

struct by_file {
  struct file_key key;
  u32 direction, tgid;
};
struct transfers {
  u64 count, total_ns, max_ns, bytes, errors, slow, slow_ns;
  u32 slots[SLOTS];
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 8192);
  __type(key, struct by_file);
  __type(value, struct transfers);
} transfers SEC(".maps");

struct by_kind {
  u32 kind, direction;
};
struct others {
  u64 count, total_ns, max_ns, slow;
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, 64);
  __type(key, struct by_kind);
  __type(value, struct others);
} others SEC(".maps");

struct slow_one {
  u64 at_ns, took_ns, asked;
  s64 result;
  long long at;
  struct file_key key;
  u32 direction, tid, number, pad;
};
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 19);
} slow_ones SEC(".maps");
struct slow_one *slow_ones_event __attribute__((unused));

static const struct transfers none;

FOLLOW(transfer)

static __always_inline int direction_of(long number) {
  if (number == READ || number == PREAD64 || number == READV || number == PREADV || number == PREADV2 ||
      number == SENDFILE || number == COPY_FILE_RANGE)
    return READS;
  if (number == WRITE || number == PWRITE64 || number == WRITEV || number == PWRITEV || number == PWRITEV2)
    return WRITES;
  return number == GETDENTS64 || number == GETDENTS ? LISTS : -1;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(begin, struct pt_regs *regs, long number) {
  struct task_struct *task = current();
  struct transfer *call = own(task);
  if (!call) return 0;
  call->began = 0;
  if (is_32bit(task)) {
    tally(SEEN_32BIT);
    return 0;
  }
  tally(HITS);
  int direction = direction_of(number);
  if (direction < 0) return 0;
  u32 descriptor = number == SENDFILE ? ARG1(regs) : ARG0(regs);
  struct file *file = file_of(task, descriptor);
  if (!file) return 0;
  call->kind = key_of(file, &call->key);
  if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) == ANONYMOUS) call->kind = 0; /* an eventfd, a timerfd, … */
  call->direction = direction;
  call->number = number;
  call->asked = number == SENDFILE ? ARG3(regs) : number == COPY_FILE_RANGE ? ARG4(regs) : ARG2(regs);
  call->at = number == PREAD64 || number == PWRITE64 ? (long long)ARG3(regs) : BPF_CORE_READ(file, f_pos);
  if (call->kind == KIND_FILE || call->kind == KIND_BLOCK || direction == LISTS) {
    call->kind = KIND_FILE;
    tell_file(file, &call->key);
  }
  call->began = bpf_ktime_get_ns();
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(end, struct pt_regs *regs, long result) {
  u64 now = bpf_ktime_get_ns();
  struct task_struct *task = current();
  struct transfer *call = own(task);
  if (!call || !call->began) return 0;
  u64 took = now - call->began;
  call->began = 0;
  int slow = took >= slow_ns;
  if (call->kind != KIND_FILE) {
    struct by_kind key = {.kind = call->kind, .direction = call->direction};
    struct others *sums = bpf_map_lookup_elem(&others, &key);
    if (!sums) {
      struct others no_others = {};
      bpf_map_update_elem(&others, &key, &no_others, BPF_NOEXIST);
      sums = bpf_map_lookup_elem(&others, &key);
      if (!sums) return 0;
    }
    sums->count++;
    sums->total_ns += took;
    sums->slow += slow;
    if (took > sums->max_ns) sums->max_ns = took;
    return 0;
  }
  struct by_file key = {.key = call->key, .direction = call->direction, .tgid = tgid_of(task)};
  struct transfers *sums = bpf_map_lookup_elem(&transfers, &key);
  if (!sums) {
    bpf_map_update_elem(&transfers, &key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&transfers, &key);
    if (!sums) {
      tally(LOST_ENTRY);
      return 0;
    }
  }
  sums->count++;
  sums->total_ns += took;
  sums->slots[slot_of(took)]++;
  if (took > sums->max_ns) sums->max_ns = took;
  if (is_error(result)) sums->errors += !is_restart(result);
  else if (call->direction != LISTS) sums->bytes += result;
  if (!slow) return 0;
  sums->slow++;
  sums->slow_ns += took;
  struct slow_one *event = bpf_ringbuf_reserve(&slow_ones, sizeof *event, 0);
  if (!event) {
    tally(LOST_EVENT);
    return 0;
  }
  *event = (struct slow_one){.at_ns = now, .took_ns = took, .asked = call->asked, .result = result, .at = call->at,
                             .key = call->key, .direction = call->direction, .tid = tid_of(task), .number = call->number};
  bpf_ringbuf_submit(event, 0);
  return 0;
}

/* What has not ended when the look is over. */
struct waiting {
  u64 began;
  struct file_key key;
  u32 direction, kind, number, tid;
};
SEC("iter/task") int blocked(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  if (!task) return 0;
  struct transfer *call = bpf_task_storage_get(&threads, task, 0, 0);
  if (!call || !call->began || call->kind != KIND_FILE) return 0;
  struct waiting row = {.began = call->began, .key = call->key, .direction = call->direction, .kind = call->kind,
                        .number = call->number, .tid = tid_of(task)};
  bpf_seq_write(context->meta->seq, &row, sizeof row);
  return 0;
}
struct waiting *blocked_row __attribute__((unused));
