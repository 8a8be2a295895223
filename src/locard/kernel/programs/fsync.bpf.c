/* Calls of the target that wait until data is on the disk: fsync and its relatives, and writes to files that
 * were opened for it (O_SYNC, O_DSYNC), which wait in the write itself. By file, call, thread and result. */
#include "include/target.h"
#include "include/entry.h"
#include "include/told_files.h"

#define FSYNC CALL(74, 82)
#define FDATASYNC CALL(75, 83)
#define SYNC_FILE_RANGE CALL(277, 84)
#define SYNC CALL(162, 81)
#define SYNCFS CALL(306, 267)
#define MSYNC CALL(26, 227)
#define WRITE CALL(1, 64)
#define PWRITE64 CALL(18, 68)
#define WRITEV CALL(20, 66)
#define PWRITEV CALL(296, 70)
#define PWRITEV2 CALL(328, 287)
#define O_DSYNC 0x1000
#define O_SYNC_BIT 0x100000
#define RWF_DSYNC 2
#define RWF_SYNC 4
#define MOUNTED_SYNC 0x10
#define MS_SYNC 4

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct super_block___flags {
  unsigned long s_flags;
};
struct vm_area_struct {
  struct file *vm_file;
};
#pragma clang attribute pop

enum how { BY_CALL, BY_DSYNC, BY_SYNC, BY_MOUNT };

struct syncing {
  u64 began;
  struct file_key key;
  u32 number, how;
};

struct by_file {
  struct file_key key;
  u32 number, how, tid;
  s32 error;
};
struct syncs {
  u64 count, total_ns, max_ns, bytes;
  u32 slots[SLOTS];
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 8192);
  __type(key, struct by_file);
  __type(value, struct syncs);
} syncs SEC(".maps");

static const struct syncs none;

FOLLOW(syncing)

struct looked {
  struct file *file;
};
static long take_mapped(struct task_struct *task, struct vm_area_struct *area, struct looked *looked) {
  looked->file = BPF_CORE_READ(area, vm_file);
  return 0;
}

static __always_inline int takes_file(long number) {
  return number == FSYNC || number == FDATASYNC || number == SYNC_FILE_RANGE || number == SYNCFS;
}
static __always_inline int writes(long number) {
  return number == WRITE || number == PWRITE64 || number == WRITEV || number == PWRITEV || number == PWRITEV2;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(begin, struct pt_regs *regs, long number) {
  struct task_struct *task = current();
  struct syncing *call = own(task);
  if (!call) return 0;
  call->began = 0;
  if (is_32bit(task)) {
    tally(SEEN_32BIT);
    return 0;
  }
  tally(HITS);
  struct file *file = 0;
  u32 how = BY_CALL;
  if (takes_file(number)) file = file_of(task, ARG0(regs));
  else if (writes(number)) {
    file = file_of(task, ARG0(regs));
    u32 flags = BPF_CORE_READ(file, f_flags), more = number == PWRITEV2 ? ARG5(regs) : 0;
    u32 kind = BPF_CORE_READ(file, f_inode, i_mode) & KIND_MASK;
    if (!file || (kind != KIND_FILE && kind != KIND_BLOCK)) return 0;
    struct super_block___flags *mounted = (void *)BPF_CORE_READ(file, f_inode, i_sb);
    if (flags & O_SYNC_BIT || more & RWF_SYNC) how = BY_SYNC;
    else if (flags & O_DSYNC || more & RWF_DSYNC) how = BY_DSYNC;
    else if (BPF_CORE_READ(mounted, s_flags) & MOUNTED_SYNC) how = BY_MOUNT;
    else return 0;
  } else if (number == MSYNC) {
    if (!(ARG2(regs) & MS_SYNC)) return 0;
    struct looked looked = {};
    bpf_find_vma(task, ARG0(regs), take_mapped, &looked, 0);
    file = looked.file;
  } else if (number != SYNC) return 0;
  call->number = number;
  call->how = how;
  call->key = (struct file_key){};
  if (file) {
    key_of(file, &call->key);
    tell_file((u64)file, &call->key);
  }
  call->began = bpf_ktime_get_ns();
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(end, struct pt_regs *regs, long result) {
  struct task_struct *task = current();
  struct syncing *call = own(task);
  if (!call || !call->began) return 0;
  u64 took = bpf_ktime_get_ns() - call->began;
  call->began = 0;
  struct by_file key = {.key = call->key, .number = call->number, .how = call->how, .tid = tid_of(task),
                        .error = is_error(result) ? -result : 0};
  struct syncs *sums = bpf_map_lookup_elem(&syncs, &key);
  if (!sums) {
    bpf_map_update_elem(&syncs, &key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&syncs, &key);
    if (!sums) {
      tally(LOST_ENTRY);
      return 0;
    }
  }
  sums->count++;
  sums->total_ns += took;
  sums->slots[slot_of(took)]++;
  if (call->how != BY_CALL && result > 0) sums->bytes += result;
  if (took > sums->max_ns) sums->max_ns = took;
  return 0;
}

/* What waits when the look is over. */
struct waiting {
  u64 began;
  struct file_key key;
  u32 number, how, tid, pad;
};
SEC("iter/task") int blocked(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  if (!task) return 0;
  struct syncing *call = bpf_task_storage_get(&threads, task, 0, 0);
  if (!call || !call->began) return 0;
  struct waiting row = {.began = call->began, .key = call->key, .number = call->number, .how = call->how,
                        .tid = tid_of(task)};
  bpf_seq_write(context->meta->seq, &row, sizeof row);
  return 0;
}
struct waiting *blocked_row __attribute__((unused));
