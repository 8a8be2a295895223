/* Page faults of the target by what is mapped there: minor ones, which found the page in memory, and major
 * ones, which waited for a disk, with how long a thread was away from its CPU meanwhile.
 *
 * There is no event at the end of a fault: the thread's own count of major faults tells, when its next event
 * comes, what the last one was; it is off its CPU only while it waits. */
#include "include/target.h"
#include "include/told_files.h"
#include "include/entry.h"

#define TASK_RUNNING 0
#define MMAP CALL(9, 222)
#define MUNMAP CALL(11, 215)
#define MREMAP CALL(25, 216)
#define BRK CALL(12, 214)
#define SHMAT CALL(30, 196)
#define SHMDT CALL(67, 197)
#define EXECVE CALL(59, 221)
#define EXECVEAT CALL(322, 281)
#define KNOWN 4 /* mappings that a thread remembers */
#define IS_WRITE 2
#define IS_PRESENT 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct vm_area_struct {
  unsigned long vm_start, vm_end, vm_flags;
  struct file *vm_file;
};
struct task_struct___faults {
  unsigned long maj_flt;
};
#pragma clang attribute pop

#define VM_GROWSDOWN 0x100
#define KIND_ANONYMOUS 0
#define KIND_OF_FILE 1
#define KIND_STACK 2
#define KIND_NOT_MAPPED 3
#define KIND_CHANGING 4 /* the mappings were locked just then */

struct by_mapping {
  struct file_key key;
  u32 kind, write, tgid, pad;
};

/* Looking a mapping up takes a lock that is given back by an interrupt: 10 us. So the last are remembered,
 * until any thread of the target changes its mappings. */
struct remembered {
  u64 from, to, generation;
  struct file_key key;
  u32 kind, pad;
};
u64 generation = 1;

struct faulting {
  struct remembered known[KNOWN];
  u64 next_known;
  struct by_mapping key; /* of the last fault, while it may not be over */
  u32 open, changes;
  unsigned long major;
  u64 away_since, away_ns;
};

struct faults {
  u64 count, major, total_ns, max_ns, in_kernel, protection;
  u32 slots[SLOTS];
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, struct by_mapping);
  __type(value, struct faults);
} faults SEC(".maps");

static const struct faults none;

FOLLOW(faulting)

struct looked {
  struct file *file;
  u64 flags, from, to;
  u32 found;
};
static long take_area(struct task_struct *task, struct vm_area_struct *area, struct looked *looked) {
  looked->file = BPF_CORE_READ(area, vm_file);
  looked->flags = BPF_CORE_READ(area, vm_flags);
  looked->from = BPF_CORE_READ(area, vm_start);
  looked->to = BPF_CORE_READ(area, vm_end);
  looked->found = 1;
  return 0;
}

static __always_inline unsigned long major_of(struct task_struct *task) {
  struct task_struct___faults *counts = (void *)task;
  return BPF_CORE_READ(counts, maj_flt);
}

/* The last fault is over: count whether it was a major one, and how long it took. */
static __always_inline void settle(struct task_struct *task, struct faulting *mine) {
  if (!mine->open) return;
  mine->open = 0;
  unsigned long major = major_of(task);
  if (major == mine->major) return;
  struct faults *sums = bpf_map_lookup_elem(&faults, &mine->key);
  if (!sums) return;
  __sync_fetch_and_add(&sums->major, 1);
  __sync_fetch_and_add(&sums->total_ns, mine->away_ns);
  __sync_fetch_and_add(&sums->slots[slot_of(mine->away_ns)], 1);
  if (mine->away_ns > sums->max_ns) sums->max_ns = mine->away_ns;
}

static __noinline int find_mapping(struct task_struct *task, struct faulting *mine, unsigned long address) {
  if (!mine) return 0;
  u64 now = generation;
  for (int k = 0; k < KNOWN; k++) {
    struct remembered *known = &mine->known[k];
    if (known->generation == now && address >= known->from && address < known->to) {
      mine->key.key = known->key;
      mine->key.kind = known->kind;
      return 0;
    }
  }
  struct looked looked = {};
  long problem = bpf_find_vma(task, address, take_area, &looked, 0);
  if (!looked.found) {
    mine->key.kind = problem == -16 ? KIND_CHANGING : KIND_NOT_MAPPED;
    return 0;
  }
  if (looked.file) {
    mine->key.kind = KIND_OF_FILE;
    key_of(looked.file, &mine->key.key);
    tell_file((u64)looked.file, &mine->key.key);
  } else mine->key.kind = looked.flags & VM_GROWSDOWN ? KIND_STACK : KIND_ANONYMOUS;
  struct remembered *known = &mine->known[mine->next_known++ & (KNOWN - 1)];
  known->from = looked.from;
  known->to = looked.to;
  known->key = mine->key.key;
  known->kind = mine->key.kind;
  known->generation = now;
  return 0;
}

static __always_inline int changes_mappings(long number) {
  return number == MMAP || number == MUNMAP || number == MREMAP || number == BRK || number == SHMAT ||
         number == SHMDT || number == EXECVE || number == EXECVEAT;
}

static __always_inline int begins(unsigned long address, unsigned long code, int from_kernel) {
  struct task_struct *task = current();
  struct faulting *mine = own(task);
  if (!mine) return 0;
  tally(HITS);
  settle(task, mine);
  mine->key = (struct by_mapping){.tgid = tgid_of(task), .write = !!(code & IS_WRITE)};
  find_mapping(task, mine, address);
  mine->open = 1;
  mine->major = major_of(task);
  mine->away_ns = 0;
  struct faults *sums = bpf_map_lookup_elem(&faults, &mine->key);
  if (!sums) {
    bpf_map_update_elem(&faults, &mine->key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&faults, &mine->key);
    if (!sums) {
      tally(LOST_ENTRY);
      return 0;
    }
  }
  __sync_fetch_and_add(&sums->count, 1);
  if (from_kernel) __sync_fetch_and_add(&sums->in_kernel, 1);
  if (code & IS_PRESENT) __sync_fetch_and_add(&sums->protection, 1);
  return 0;
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(by_user, unsigned long address, struct pt_regs *regs, unsigned long code) {
  return begins(address, code, 0);
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(by_kernel, unsigned long address, struct pt_regs *regs, unsigned long code) {
  return begins(address, code, 1);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switches, int preempted, struct task_struct *previous, struct task_struct *next) {
  struct faulting *left = own(previous);
  if (left && left->open) {
    /* Away for another reason, such as a call that waits: the fault was over before. */
    left->away_since = !preempted && previous->__state != TASK_RUNNING ? bpf_ktime_get_ns() : 0;
  }
  struct faulting *mine = own(next);
  if (mine && mine->open && mine->away_since) {
    mine->away_ns += bpf_ktime_get_ns() - mine->away_since;
    mine->away_since = 0;
  }
  return 0;
}

/* A call begins, so that the last fault of the user's own code is over. */
SEC("tp_btf/sys_enter")
int BPF_PROG(calls, struct pt_regs *regs, long number) {
  struct task_struct *task = current();
  struct faulting *mine = own(task);
  if (!mine) return 0;
  settle(task, mine);
  mine->changes = changes_mappings(number);
  if (mine->changes) __sync_fetch_and_add(&generation, 1);
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(returns, struct pt_regs *regs, long result) {
  struct task_struct *task = current();
  struct faulting *mine = own(task);
  if (!mine) return 0;
  settle(task, mine);
  if (mine->changes) __sync_fetch_and_add(&generation, 1); /* others may have looked just before */
  mine->changes = 0;
  return 0;
}

/* What has not been settled when the look is over. */
struct last_fault {
  u32 tid, open;
  u64 away_ns, away_since;
  struct by_mapping key;
  u64 major, before;
};
SEC("iter/task") int unsettled(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  if (!task) return 0;
  struct faulting *mine = bpf_task_storage_get(&threads, task, 0, 0);
  if (!mine || !mine->open) return 0;
  struct last_fault row = {.tid = tid_of(task), .open = mine->open, .away_ns = mine->away_ns,
                           .away_since = mine->away_since, .key = mine->key, .major = major_of(task),
                           .before = mine->major};
  bpf_seq_write(context->meta->seq, &row, sizeof row);
  return 0;
}
struct last_fault *unsettled_row __attribute__((unused));
