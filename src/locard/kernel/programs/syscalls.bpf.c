/* System calls of the target, summed in the kernel: by thread and call, by file or socket, by error, by lock.
 *
 * One look-up in task storage tells whose call it is; everybody else pays that and no more. Times are wall
 * time from entry to exit. A call that had begun before we looked is counted from then on (`older`); one that
 * has not ended is in `threads` with its beginning: `blocked` lists those. */
#include "include/target.h"
#include "include/files.h"

#define NUMBERS 512 /* system call numbers from here on are not counted: there are none yet */
#define SIZE_SLOTS 16

#if defined(__TARGET_ARCH_x86)
#define FUTEX 202
#define CONNECT 42
#define EPOLL_WAIT 232
#define EPOLL_PWAIT 281
#else
#define FUTEX 98
#define CONNECT 203
#define EPOLL_WAIT (-1)
#define EPOLL_PWAIT 22
#endif
#define FUTEX_CMD 0x7f

/* Which calls take a descriptor first (1), and which of them move bytes that the result counts (3). */
const volatile u8 takes[NUMBERS];
const volatile u8 wanted[NUMBERS]; /* all zero: every call */
const volatile u32 only_wanted = 0;
const volatile u64 slow_ns = 0; /* calls of at least this are events; 0: none */
const volatile u32 errors_only = 0;
const volatile u32 by_file = 1;

struct call {
  u64 began;
  u32 number;
  u32 older; /* it had begun before we looked */
  u64 first, second;
};

/* By thread and call. Only the thread itself changes its entry. */
struct by_thread {
  u32 tid, number;
};
struct sums {
  u64 count, total_ns, max_ns, errors, bytes, empty, older; /* empty: gave 0; older: counted from when we came */
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384); /* as many as are read */
  __type(key, struct by_thread);
  __type(value, struct sums);
} calls SEC(".maps");

/* Of threads for which there is no room above: by call alone, with tid 0. Shared by them all. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, NUMBERS);
  __type(key, struct by_thread);
  __type(value, struct sums);
} beyond SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, NUMBERS);
  __type(key, u32);
  __type(value, struct latencies);
} histogram SEC(".maps");

/* By what the descriptor was. `file` is the inode's number, unique among sockets and within a device. */
struct by_descriptor {
  u64 file;
  u32 device, number, tgid, descriptor;
};
struct transfers {
  u64 count, total_ns, max_ns, errors, bytes, empty;
  u32 sizes[SIZE_SLOTS];
  u32 slots[SLOTS];
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH); /* made beforehand: in a burst there is no time to find memory */
  __uint(max_entries, 6144);
  __type(key, struct by_descriptor);
  __type(value, struct transfers);
} descriptors SEC(".maps");

struct by_error {
  u32 tgid, number, error, pad;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, struct by_error);
  __type(value, u64);
} errors SEC(".maps");

/* Waits for one lock word. */
struct by_lock {
  u64 address;
  u32 tgid, op;
};
struct lock_sums {
  u64 count, total_ns, max_ns, timeouts;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, struct by_lock);
  __type(value, struct lock_sums);
} locks SEC(".maps");

/* What epoll reported: by the instance, the user's own data for the descriptor (often its number), events. */
struct by_readiness {
  u64 data;
  u32 tgid, epoll, mask, pad;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2048);
  __type(key, struct by_readiness);
  __type(value, u64);
} readiness SEC(".maps");

/* A descriptor that is seen for the first time: its name. */
struct opened {
  u64 file;
  u32 device, tgid, descriptor, mode;
  struct ends ends;
  struct file_names path;
};
struct slow {
  u64 at_ns, took_ns, file;
  s64 result;
  u64 first, second;
  u32 device, tid, tgid, number;
  char comm[COMM];
};
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 8 << 20);
} opened_files SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 19);
} slow_calls SEC(".maps");

/* Types that only events have: named here, so that the reader finds them in the object. */
struct opened *opened_files_event __attribute__((unused));
struct slow *slow_calls_event __attribute__((unused));

static const struct latencies no_latencies;
static const struct transfers no_transfers;

/* The call in which a thread is when we come. */
static __always_inline void take_current(struct task_struct *task, struct call *call) {
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  if (!regs || call->began || !task->__state || !BPF_CORE_READ(task, mm)) return;
#if defined(__TARGET_ARCH_x86)
  s64 number = BPF_CORE_READ(regs, orig_ax);
  call->first = BPF_CORE_READ(regs, di);
  call->second = BPF_CORE_READ(regs, si);
#else
  s64 number = BPF_CORE_READ(regs, syscallno);
  call->first = BPF_CORE_READ(regs, orig_x0);
  call->second = BPF_CORE_READ(regs, regs[1]);
#endif
  if (number < 0 || number >= NUMBERS) return;
  call->number = number;
  call->older = 1;
  call->began = bpf_ktime_get_ns();
}

FOLLOW_FROM(call, take_current)

static __always_inline int is_32bit(struct task_struct *task) {
#if defined(__TARGET_ARCH_x86)
  return task->thread_info.status & 2;
#else
  return (task->thread_info.flags >> 22) & 1;
#endif
}

SEC("tp_btf/sys_enter")
int BPF_PROG(begin, struct pt_regs *regs, long number) {
  struct task_struct *task = current();
  struct call *call = own(task);
  if (!call) return 0;
  if (is_32bit(task)) {
    tally(SEEN_32BIT);
    return 0;
  }
  call->number = number;
  call->older = 0;
#if defined(__TARGET_ARCH_x86)
  call->first = regs->di;
  call->second = regs->si;
#else
  call->first = regs->regs[0];
  call->second = regs->regs[1];
#endif
  call->began = bpf_ktime_get_ns();
  return 0;
}

/* Whom a connect asked for: a socket that was refused keeps no far end. */
static __always_inline void read_asked(u64 address, struct ends *ends) {
  struct {
    u16 family, port;
    u8 v4[4], v6[16];
  } asked;
  if (bpf_probe_read_user(&asked, sizeof asked, (void *)address) &&
      bpf_probe_read_user(&asked, 8, (void *)address))
    return;
  if (asked.family == AF_INET) memcpy(ends->far, asked.v4, 4);
  else if (asked.family == AF_INET6) memcpy(ends->far, asked.v6, 16);
  else return;
  ends->family = asked.family;
  ends->far_port = __builtin_bswap16(asked.port);
}

/* Not static, so that the verifier goes through it once and not for each way on which it is reached. */
__noinline int tell_opened(u64 at, struct by_descriptor *key, u64 second) {
  struct file *file = (struct file *)at;
  if (!key) return 0;
  struct opened *opened = bpf_ringbuf_reserve(&opened_files, sizeof *opened, 0);
  if (!opened) {
    tally(LOST_EVENT);
    return 0;
  }
  opened->file = key->file;
  opened->device = key->device;
  opened->tgid = key->tgid;
  opened->descriptor = key->descriptor;
  opened->mode = BPF_CORE_READ(file, f_inode, i_mode);
  struct sock *sk = sock_of(file);
  if (sk) {
    read_ends(sk, &opened->ends);
    if (key->number == CONNECT && !opened->ends.far_port) read_asked(second, &opened->ends);
    opened->path.size = 0;
    opened->path.cut = 0;
  } else {
    memset(&opened->ends, 0, sizeof opened->ends);
    read_names(&file->f_path, &opened->path);
  }
  bpf_ringbuf_submit(opened, 0);
  return 0;
}

static __always_inline u64 count_transfer(struct task_struct *task, struct call *call, u64 took, s64 result, u8 kind,
                                          u32 *device) {
  struct file *file = file_of(task, call->first);
  if (!file) return 0;
  struct by_descriptor key = {.number = call->number, .tgid = tgid_of(task), .descriptor = call->first};
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  key.file = BPF_CORE_READ(inode, i_ino);
  key.device = *device = BPF_CORE_READ(inode, i_sb, s_dev);
  struct transfers *sums = bpf_map_lookup_elem(&descriptors, &key);
  if (!sums) {
    if (bpf_map_update_elem(&descriptors, &key, &no_transfers, BPF_NOEXIST) == 0) tell_opened((u64)file, &key, call->second);
    sums = bpf_map_lookup_elem(&descriptors, &key);
    if (!sums) {
      tally(LOST_ENTRY);
      return key.file;
    }
  }
  /* Threads share descriptors. */
  __sync_fetch_and_add(&sums->count, 1);
  __sync_fetch_and_add(&sums->total_ns, took);
  __sync_fetch_and_add(&sums->slots[slot_of(took)], 1);
  if (took > sums->max_ns) sums->max_ns = took;
  if (is_error(result)) {
    if (!is_restart(result)) __sync_fetch_and_add(&sums->errors, 1);
  } else if (kind & 2) {
    if (!result) __sync_fetch_and_add(&sums->empty, 1);
    else {
      u32 slot = log2_of(result);
      __sync_fetch_and_add(&sums->bytes, result);
      __sync_fetch_and_add(&sums->sizes[slot < SIZE_SLOTS ? slot : SIZE_SLOTS - 1], 1);
    }
  }
  return key.file;
}

static __always_inline void count_lock(struct task_struct *task, struct call *call, u64 took, s64 result) {
  u32 op = call->second & FUTEX_CMD;
  if (op != 0 && op != 6 && op != 9 && op != 11 && op != 13) return; /* it wakes, it does not wait */
  struct by_lock key = {.address = call->first, .tgid = tgid_of(task), .op = call->second};
  struct lock_sums *sums = bpf_map_lookup_elem(&locks, &key);
  if (!sums) {
    static const struct lock_sums none;
    bpf_map_update_elem(&locks, &key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&locks, &key);
    if (!sums) {
      tally(LOST_ENTRY);
      return;
    }
  }
  __sync_fetch_and_add(&sums->count, 1);
  __sync_fetch_and_add(&sums->total_ns, took);
  if (result == -110) __sync_fetch_and_add(&sums->timeouts, 1);
  if (took > sums->max_ns) sums->max_ns = took;
}

static __always_inline void count_one(void *map, void *key) {
  u64 *count = bpf_map_lookup_elem(map, key), one = 1;
  if (count) __sync_fetch_and_add(count, 1);
  else if (bpf_map_update_elem(map, key, &one, BPF_NOEXIST)) {
    count = bpf_map_lookup_elem(map, key);
    if (count) __sync_fetch_and_add(count, 1);
    else tally(LOST_ENTRY);
  }
}

static __noinline void count_readiness(struct task_struct *task, u64 epoll, u64 into, s64 result) {
  struct __attribute__((packed)) {
    u32 mask;
    u64 data;
  } events[4];
  u32 seen = result > 4 ? 4 : result;
  /* Sizes that are constants on each way: 6.12 loses a bound that is computed. */
  const void *from = (const void *)into;
  long unread = seen == 1   ? bpf_probe_read_user(events, sizeof events[0], from)
                : seen == 2 ? bpf_probe_read_user(events, 2 * sizeof events[0], from)
                : seen == 3 ? bpf_probe_read_user(events, 3 * sizeof events[0], from)
                            : bpf_probe_read_user(events, sizeof events, from);
  if (unread) return;
  for (u32 k = 0; k < 4; k++) {
    if (k >= seen) break;
    struct by_readiness key = {.data = events[k].data, .tgid = tgid_of(task), .epoll = epoll, .mask = events[k].mask};
    count_one(&readiness, &key);
  }
}

/* A call of a thread for which there is no room. */
static __noinline void count_beyond(u32 number, u64 took, int failed, s64 result, u32 kind) {
  static const struct sums none;
  struct by_thread key = {.tid = 0, .number = number};
  struct sums *sums = bpf_map_lookup_elem(&beyond, &key);
  if (!sums) {
    bpf_map_update_elem(&beyond, &key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&beyond, &key);
  }
  if (!sums) {
    tally(LOST_ENTRY);
    return;
  }
  __sync_fetch_and_add(&sums->count, 1);
  __sync_fetch_and_add(&sums->total_ns, took);
  if (took > sums->max_ns) sums->max_ns = took;
  if (failed) __sync_fetch_and_add(&sums->errors, 1);
  else if (result == 0) __sync_fetch_and_add(&sums->empty, 1);
  else if ((kind & 2) && result > 0) __sync_fetch_and_add(&sums->bytes, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(end, struct pt_regs *regs, long result) {
  u64 now = bpf_ktime_get_ns();
  struct task_struct *task = current();
  struct call *call = own(task);
  if (!call || !call->began) return 0;
  u64 took = now - call->began;
  u32 number = call->number;
  call->began = 0;
  if (number >= NUMBERS) return 0;
  tally(HITS);
  if (only_wanted && !wanted[number & (NUMBERS - 1)]) return 0;
  int failed = is_error(result) && !is_restart(result);
  if (errors_only && !failed) return 0;
  struct by_thread key = {.tid = tid_of(task), .number = number};
  static const struct sums none;
  struct sums *sums = bpf_map_lookup_elem(&calls, &key);
  if (!sums) {
    bpf_map_update_elem(&calls, &key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&calls, &key);
  }
  u8 kind = takes[number & (NUMBERS - 1)];
  if (!sums) {
    count_beyond(number, took, failed, result, kind);
  } else {
    sums->count++;
    sums->total_ns += took;
    if (took > sums->max_ns) sums->max_ns = took;
    if (call->older) sums->older++;
    if (failed) sums->errors++;
    else if (result == 0) sums->empty++;
    else if ((kind & 2) && result > 0) sums->bytes += result;
  }
  struct latencies *slots = bpf_map_lookup_elem(&histogram, &number);
  if (!slots) {
    bpf_map_update_elem(&histogram, &number, &no_latencies, BPF_NOEXIST);
    slots = bpf_map_lookup_elem(&histogram, &number);
  }
  if (slots) slots->slots[slot_of(took)]++;
  u64 file = 0;
  u32 device = 0;
  if (by_file && (kind & 1)) file = count_transfer(task, call, took, result, kind, &device);
  if (number == FUTEX) count_lock(task, call, took, result);
  if ((number == EPOLL_PWAIT || (int)number == EPOLL_WAIT) && result > 0)
    count_readiness(task, call->first, call->second, result);
  if (failed) {
    struct by_error error = {.tgid = tgid_of(task), .number = number, .error = -result};
    count_one(&errors, &error);
  }
  if (slow_ns && took >= slow_ns) {
    struct slow *slow = bpf_ringbuf_reserve(&slow_calls, sizeof *slow, 0);
    if (!slow) {
      tally(LOST_EVENT);
      return 0;
    }
    slow->at_ns = now;
    slow->took_ns = took;
    slow->file = file;
    slow->device = device;
    slow->result = result;
    slow->first = call->first;
    slow->second = call->second;
    slow->tid = tid_of(task);
    slow->tgid = tgid_of(task);
    slow->number = number;
    bpf_get_current_comm(slow->comm, COMM);
    bpf_ringbuf_submit(slow, 0);
  }
  return 0;
}

/* The calls that have not ended, at the end of the look. */
struct blocked_call {
  u64 began, first, second;
  u32 tid, tgid, number, older;
};
SEC("iter/task") int blocked(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  if (!task) return 0;
  struct call *call = bpf_task_storage_get(&threads, task, 0, 0);
  if (!call || !call->began) return 0;
  struct blocked_call row = {.began = call->began, .first = call->first, .second = call->second,
                             .tid = tid_of(task), .tgid = tgid_of(task), .number = call->number, .older = call->older};
  bpf_seq_write(context->meta->seq, &row, sizeof row);
  return 0;
}
struct blocked_call *blocked_row __attribute__((unused));
