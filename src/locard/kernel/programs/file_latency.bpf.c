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
#define SPLICE CALL(275, 76)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct hlist_bl_node {
  struct hlist_bl_node **pprev;
};
struct dentry___hashed {
  struct hlist_bl_node d_hash;
};
#pragma clang attribute pop

const volatile u64 slow_ns = 10000000;

enum direction { READS, WRITES, LISTS };

/* One end of a call; `sendfile`, `copy_file_range` and `splice` have a second one, that they write to. */
struct end_of_call {
  struct file_key key;
  long long at;
  u32 kind, deleted;
};
struct transfer {
  u64 began, asked;
  struct end_of_call one, to; /* kind 0: no file, and no kind of which we know */
  u32 direction, number;
};

struct by_file {
  struct file_key key;
  u32 direction, tgid;
};
struct transfers {
  u64 count, total_ns, max_ns, bytes, errors, slow, slow_ns;
  u64 max_deleted; /* 1: its name was gone when it was read or written */
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
      number == SENDFILE || number == COPY_FILE_RANGE || number == SPLICE)
    return READS;
  if (number == WRITE || number == PWRITE64 || number == WRITEV || number == PWRITEV || number == PWRITEV2)
    return WRITES;
  return number == GETDENTS64 || number == GETDENTS ? LISTS : -1;
}

/* What a descriptor is; 0 where it is not open. A file's name is told when it is seen first. */
static __always_inline int look_at(struct task_struct *task, u32 descriptor, int direction, struct end_of_call *end) {
  struct file *file = file_of(task, descriptor);
  end->kind = end->deleted = 0;
  if (!file) return 0;
  end->kind = key_of(file, &end->key);
  if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) == ANONYMOUS) end->kind = 0; /* an eventfd, a timerfd, … */
  end->at = BPF_CORE_READ(file, f_pos);
  if (end->kind == KIND_FILE || end->kind == KIND_BLOCK || direction == LISTS) {
    end->kind = KIND_FILE;
    struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
    struct dentry___hashed *hashed = (void *)dentry;
    end->deleted = dentry != BPF_CORE_READ(dentry, d_parent) && !BPF_CORE_READ(hashed, d_hash.pprev);
    tell_file((u64)file, &end->key);
  }
  return 1;
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
  call->direction = direction;
  call->number = number;
  call->to.kind = 0;
  int copies = number == COPY_FILE_RANGE || number == SPLICE;
  call->asked = number == SENDFILE ? ARG3(regs) : copies ? ARG4(regs) : ARG2(regs);
  if (!look_at(task, number == SENDFILE ? ARG1(regs) : ARG0(regs), direction, &call->one)) return 0;
  if (number == PREAD64 || number == PWRITE64) call->one.at = (long long)ARG3(regs);
  if (copies) look_at(task, ARG2(regs), WRITES, &call->to);
  else if (number == SENDFILE) look_at(task, ARG0(regs), WRITES, &call->to);
  call->began = bpf_ktime_get_ns();
  return 0;
}

static __noinline int count_file(struct transfer *call, struct end_of_call *end, u32 direction, u64 now, s64 result) {
  if (!call || !end) return 0;
  struct task_struct *task = current();
  u64 took = now - call->began;
  int slow = took >= slow_ns;
  struct by_file key = {.key = end->key, .direction = direction, .tgid = tgid_of(task)};
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
  sums->max_deleted |= end->deleted;
  if (took > sums->max_ns) sums->max_ns = took;
  if (is_error(result)) sums->errors += !is_restart(result);
  else if (direction != LISTS) sums->bytes += result;
  if (!slow) return 0;
  sums->slow++;
  sums->slow_ns += took;
  struct slow_one *event = bpf_ringbuf_reserve(&slow_ones, sizeof *event, 0);
  if (!event) {
    tally(LOST_EVENT);
    return 0;
  }
  *event = (struct slow_one){.at_ns = now, .took_ns = took, .asked = call->asked, .result = result, .at = end->at,
                             .key = end->key, .direction = direction, .tid = tid_of(task), .number = call->number};
  bpf_ringbuf_submit(event, 0);
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(end, struct pt_regs *regs, long result) {
  u64 now = bpf_ktime_get_ns();
  struct task_struct *task = current();
  struct transfer *call = own(task);
  if (!call || !call->began) return 0;
  u64 took = now - call->began;
  int from_file = call->one.kind == KIND_FILE, to_file = call->to.kind == KIND_FILE;
  if (from_file) count_file(call, &call->one, call->direction, now, result);
  if (to_file) count_file(call, &call->to, WRITES, now, result);
  call->began = 0;
  if (from_file || to_file) return 0;
  struct by_kind key = {.kind = call->one.kind, .direction = call->direction};
  struct others *sums = bpf_map_lookup_elem(&others, &key);
  if (!sums) {
    struct others no_others = {};
    bpf_map_update_elem(&others, &key, &no_others, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&others, &key);
    if (!sums) return 0;
  }
  sums->count++;
  sums->total_ns += took;
  sums->slow += took >= slow_ns;
  if (took > sums->max_ns) sums->max_ns = took;
  return 0;
}

/* What has not ended when the look is over. */
struct waiting {
  u64 began;
  struct file_key key;
  u32 number, tid, deleted, pad;
};
SEC("iter/task") int blocked(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  if (!task) return 0;
  struct transfer *call = bpf_task_storage_get(&threads, task, 0, 0);
  if (!call || !call->began) return 0;
  struct end_of_call *end = call->one.kind == KIND_FILE ? &call->one : &call->to;
  if (end->kind != KIND_FILE) return 0;
  struct waiting row = {.began = call->began, .key = end->key, .number = call->number, .tid = tid_of(task),
                        .deleted = end->deleted};
  bpf_seq_write(context->meta->seq, &row, sizeof row);
  return 0;
}
struct waiting *blocked_row __attribute__((unused));
