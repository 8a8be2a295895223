/* The kernel's types as the programs read them: only the fields that are read, found by name when a program
 * is loaded (CO-RE), so that one object fits every kernel with BTF. */
#ifndef LOCARD_KERNEL_H
#define LOCARD_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#ifndef memset
#define memset __builtin_memset
#define memcpy __builtin_memcpy
#endif

/* All of ours are GPL for the kernel's sake: its helpers ask for it. */
char LICENSE[] SEC("license") = "GPL";

#define COMM 16
#define EINPROGRESS 115
#define MOST_SPACES 32 /* of pids, one in another */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, sp;
};
struct thread_info {
  u32 status; /* bit 1: a 32-bit system call */
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
  u64 regs[31], sp, pc, pstate;
};
struct pt_regs {
  u64 regs[31], sp, pc, pstate, orig_x0;
  s32 syscallno;
};
struct thread_info {
  unsigned long flags; /* bit 22: a 32-bit process */
};
#endif

struct ns_common {
  unsigned int inum;
};
struct pid_namespace {
  unsigned int level;
  struct ns_common ns;
};
struct upid {
  int nr;
  struct pid_namespace *ns;
};
struct pid {
  unsigned int level;
  struct upid numbers[1];
};
struct net {
  struct ns_common ns;
};
struct nsproxy {
  struct net *net_ns;
};
struct in6_addr {
  union {
    u8 u6_addr8[16];
  } in6_u;
};
typedef struct {
  struct net *net;
} possible_net_t;
struct sock_common {
  u32 skc_daddr, skc_rcv_saddr;
  u16 skc_dport, skc_num;
  unsigned short skc_family;
  volatile unsigned char skc_state;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};
struct socket;
struct sock {
  struct sock_common __sk_common;
  u16 sk_protocol;
  u16 sk_type;
  u32 sk_ack_backlog, sk_max_ack_backlog;
  struct socket *sk_socket;
  int sk_err;
};
struct qstr {
  u32 len;
  const unsigned char *name;
};
struct super_block {
  u32 s_dev;
  unsigned long s_magic;
};
struct inode {
  unsigned short i_mode;
  unsigned long i_ino;
  struct super_block *i_sb;
  u32 i_rdev;
};
struct dentry {
  struct dentry *d_parent;
  struct qstr d_name;
  struct inode *d_inode;
};
struct vfsmount {
  struct dentry *mnt_root;
};
struct mount {
  struct mount *mnt_parent;
  struct dentry *mnt_mountpoint;
  struct vfsmount mnt;
};
struct path {
  struct vfsmount *mnt;
  struct dentry *dentry;
};
struct file {
  struct inode *f_inode;
  unsigned int f_flags;
  void *private_data;
  struct path f_path;
  long long f_pos;
};
struct socket {
  short type;
  struct file *file;
  struct sock *sk;
};
struct fdtable {
  unsigned int max_fds;
  struct file **fd;
};
struct files_struct {
  struct fdtable *fdt;
};
struct fs_struct {
  struct path root, pwd;
};
struct sched_entity {
  u64 exec_start;
};
struct sched_info {
  unsigned long long run_delay, last_arrival;
};
struct mm_struct {
  unsigned long arg_start;
};
struct task_struct {
  struct thread_info thread_info;
  unsigned int __state;
  unsigned int flags;
  struct sched_entity se;
  struct sched_info sched_info;
  int exit_code;
  int pid, tgid;
  struct task_struct *real_parent, *group_leader;
  struct pid *thread_pid;
  u64 utime, stime;
  unsigned long nvcsw, nivcsw;
  u64 start_time, start_boottime;
  char comm[COMM];
  struct fs_struct *fs;
  struct files_struct *files;
  struct nsproxy *nsproxy;
  struct mm_struct *mm;
};
struct bpf_iter_task {
  u64 opaque[3];
} __attribute__((aligned(8)));
struct seq_file;
struct bpf_iter_meta {
  struct seq_file *seq;
  u64 session_id, seq_num;
};
struct bpf_iter__task {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
};

#pragma clang attribute pop

/* Numbers of threads and processes are those of who observes, so that they fit its /proc. `observer_space`: the
 * inode number of its pid namespace, 0 for the kernel's first one, where a task's own number is it and nothing of
 * this remains in the program. `locate`, run by an iterator over the observer itself, finds how deep it lies. A task
 * that cannot be seen from there has the number 0, as everywhere in Linux. */
const volatile u32 observer_space;
u32 observer_level;

static __always_inline u32 number_of_pid(struct pid *pid) {
  struct upid seen = {};
  u32 level = observer_level;
  if (!pid || level >= MOST_SPACES || BPF_CORE_READ(pid, level) < level) return 0;
  bpf_probe_read_kernel(&seen, sizeof seen, &pid->numbers[level]);
  return seen.ns && BPF_CORE_READ(seen.ns, ns.inum) == observer_space ? seen.nr : 0;
}

static __always_inline u32 tid_of(struct task_struct *task) {
  return observer_space ? number_of_pid(BPF_CORE_READ(task, thread_pid)) : task->pid;
}

static __always_inline u32 tgid_of(struct task_struct *task) {
  return observer_space ? number_of_pid(BPF_CORE_READ(task, group_leader, thread_pid)) : task->tgid;
}

/* The same of a task that the verifier knows nothing about. */
static __always_inline u32 tid_read(struct task_struct *task) {
  return observer_space ? number_of_pid(BPF_CORE_READ(task, thread_pid)) : BPF_CORE_READ(task, pid);
}

static __always_inline u32 tgid_read(struct task_struct *task) {
  return observer_space ? number_of_pid(BPF_CORE_READ(task, group_leader, thread_pid)) : BPF_CORE_READ(task, tgid);
}

#ifndef KINDS_ONLY
SEC("iter/task") int locate(struct bpf_iter__task *context) {
  struct task_struct *observer = context->task;
  if (observer) observer_level = BPF_CORE_READ(observer, thread_pid, level);
  return 0;
}
#endif

/* The kernel's errno values that come back in a system call's result. */
static __always_inline int is_error(s64 result) { return result < 0 && result > -4096; }

/* A call that a signal interrupted and that goes on by itself: no error. */
static __always_inline int is_restart(s64 result) { return result <= -512 && result >= -516; }

/* Without a branch: the verifier follows each way that a branch makes through all that comes after. The bits
 * below the highest are filled up; times the constant, each of the 64 values has its own upper six bits. */
#define FILLED_BITS 0x03f6eaf2cd271461ULL
static const u8 log2_by_hash[64] = {
    0, 58, 1, 59, 47, 53, 2, 60, 39, 48, 27, 54, 33, 42, 3, 61,
    51, 37, 40, 49, 18, 28, 20, 55, 30, 34, 11, 43, 14, 22, 4, 62,
    57, 46, 52, 38, 26, 32, 41, 50, 36, 17, 19, 29, 10, 13, 21, 56,
    45, 25, 31, 35, 16, 9, 12, 44, 24, 15, 8, 23, 7, 6, 5, 63,
};
static __always_inline u32 log2_of(u64 value) {
  value |= value >> 1;
  value |= value >> 2;
  value |= value >> 4;
  value |= value >> 8;
  value |= value >> 16;
  value |= value >> 32;
  return log2_by_hash[(value * FILLED_BITS) >> 58];
}

/* Latencies: eight slots to each power of two, so a value is known within 6 %. */
#define SLOTS 320
struct latencies {
  u32 slots[SLOTS];
};

static __always_inline u32 slot_of(u64 value) {
  if (value < 8) return value;
  u32 bits = log2_of(value);
  u64 slot = (bits - 2) * 8 + ((value >> (bits - 3)) & 7);
  asm volatile("" : "+r"(slot)); /* the register that is compared is the one that is used */
  if (slot >= SLOTS) slot = SLOTS - 1;
  return slot;
}

/* What could not be kept: any of it makes the result partial. One entry a reason, per CPU; the last counts
 * how often the program did its work, by which its cost is estimated. */
enum loss { LOST_EVENT, LOST_ENTRY, SEEN_32BIT, SEEN_IO_URING, HITS, LOSSES };
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, LOSSES);
  __type(key, u32);
  __type(value, u64);
} losses SEC(".maps");

static __always_inline void tally(u32 which) {
  u64 *count = bpf_map_lookup_elem(&losses, &which);
  if (count) *count += 1;
}

#endif
