/* Files that the target opens or fails to open: counted by folder, name and result.
 *
 * The folder is the descriptor's or the working folder as it is when the call begins; the name is read when
 * the call ends, when it is in memory for certain. An event tells both when a combination is seen first. */
#include "include/target.h"
#include "include/entry.h"
#include "include/folders.h"

#define OPEN CALL(2, NO_CALL)
#define CREAT CALL(85, NO_CALL)
#define OPENAT CALL(257, 56)
#define OPENAT2 437
#define IN_ROOT 0x10 /* of openat2: / is the descriptor's folder */

const volatile u32 failed_only = 0;

struct opening {
  u64 began;
  const void *name;
  struct folder folder, root;
  u32 known; /* whether the folder is */
  s32 number, descriptor;
  u32 in_root;
};

struct by_name {
  u64 folder, name;
  s32 error;
  u32 tgid;
};
struct opens {
  u64 count, total_ns, max_ns, first_ns, last_ns;
  u32 told, tid;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, struct by_name);
  __type(value, struct opens);
} names SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 64);
  __type(key, u32);
  __type(value, struct latencies);
} histogram SEC(".maps");

/* Those for whose names there was no room: by result alone. */
struct by_result {
  s32 error;
  u32 tgid;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct by_result);
  __type(value, u64);
} nameless SEC(".maps");

struct first_seen {
  u64 folder_number, name_number;
  u32 tgid, known;
  s32 descriptor, error;
  struct asked asked;
  struct file_names folder;
};
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 21);
} seen SEC(".maps");
struct first_seen *seen_event __attribute__((unused));

static const struct latencies no_latencies;

FOLLOW(opening)

SEC("tp_btf/sys_enter")
int BPF_PROG(begin, struct pt_regs *regs, long number) {
  struct task_struct *task = current();
  struct opening *call = own(task);
  if (!call) return 0;
  call->began = 0;
  if (is_32bit(task)) {
    tally(SEEN_32BIT);
    return 0;
  }
  tally(HITS);
  if (number == OPENAT || number == OPENAT2) {
    call->descriptor = ARG0(regs);
    call->name = (const void *)ARG1(regs);
  } else if (number == OPEN || number == CREAT) {
    call->descriptor = AT_FDCWD;
    call->name = (const void *)ARG0(regs);
  } else return 0;
  call->number = number;
  call->in_root = 0;
  if (number == OPENAT2) {
    u64 resolve = 0;
    bpf_probe_read_user(&resolve, sizeof resolve, (const void *)ARG2(regs) + 16);
    call->in_root = !!(resolve & IN_ROOT);
  }
  call->known = take_folder(task, call->descriptor, &call->folder);
  take_root(task, &call->root);
  call->began = bpf_ktime_get_ns();
  return 0;
}

static __noinline int tell_first(struct opening *call, struct asked *asked, struct by_name *key) {
  if (!call || !asked || !key) return 0;
  struct first_seen *event = bpf_ringbuf_reserve(&seen, sizeof *event, 0);
  if (!event) return 0;
  event->folder_number = key->folder;
  event->name_number = key->name;
  event->tgid = key->tgid;
  event->known = call->known;
  event->descriptor = call->descriptor;
  event->error = key->error;
  bpf_probe_read_kernel(&event->asked, sizeof event->asked, asked);
  event->folder.size = 0;
  event->folder.cut = 0;
  if (key->folder) name_folder(&call->folder, &call->root, &event->folder);
  bpf_ringbuf_submit(event, 0);
  return 1;
}

static __always_inline void count_nameless(s32 error, u32 tgid) {
  struct by_result key = {.error = error, .tgid = tgid};
  u64 *count = bpf_map_lookup_elem(&nameless, &key), none = 0;
  if (!count) {
    bpf_map_update_elem(&nameless, &key, &none, BPF_NOEXIST);
    count = bpf_map_lookup_elem(&nameless, &key);
  }
  if (count) __sync_fetch_and_add(count, 1);
  else tally(LOST_ENTRY);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(end, struct pt_regs *regs, long result) {
  struct task_struct *task = current();
  struct opening *call = own(task);
  if (!call || !call->began) return 0;
  u64 now = bpf_ktime_get_ns();
  u64 took = now - call->began;
  call->began = 0;
  s32 error = is_error(result) ? -result : 0;
  if (failed_only && !error) return 0;
  struct asked *asked = room_for_name();
  if (!asked) return 0;
  struct by_name key = {.error = error, .tgid = tgid_of(task)};
  key.name = take_name(asked, call->name);
  if (asked->name[0] == '/' && asked->size && !call->in_root) call->known = 2;
  else if (call->known) key.folder = number_of(&call->folder, &call->root) | 1;
  else key.name = mixed(key.name, (u32)call->descriptor);
  struct opens *sums = bpf_map_lookup_elem(&names, &key);
  if (!sums) {
    struct opens none = {.first_ns = now, .tid = tid_of(task)};
    bpf_map_update_elem(&names, &key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&names, &key);
    if (!sums) {
      count_nameless(error, tgid_of(task));
      return 0;
    }
  }
  if (!sums->told && __sync_fetch_and_add(&sums->told, 1) == 0 && !tell_first(call, asked, &key))
    sums->told = 0; /* no room now: the next one tells it */
  __sync_fetch_and_add(&sums->count, 1);
  __sync_fetch_and_add(&sums->total_ns, took);
  if (took > sums->max_ns) sums->max_ns = took;
  sums->last_ns = now;
  u32 failed = error != 0;
  struct latencies *slots = bpf_map_lookup_elem(&histogram, &failed);
  if (!slots) {
    bpf_map_update_elem(&histogram, &failed, &no_latencies, BPF_NOEXIST);
    slots = bpf_map_lookup_elem(&histogram, &failed);
  }
  if (slots) slots->slots[slot_of(took)]++;
  return 0;
}
