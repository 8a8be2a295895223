/* Signals to the target, and from it: who sends which to whom, what became of it, and what it met. */
#include "include/target.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kernel_siginfo {
  int si_signo, si_errno, si_code;
};
struct sigaction {
  void *sa_handler;
};
struct k_sigaction {
  struct sigaction sa;
};
#pragma clang attribute pop

#define NO_INFO 0
#define BY_KERNEL 1
#define SI_KERNEL 0x80
#define SI_TIMER (-2)
#define SIGCHLD 17

/* A task that belongs to the target has one; nothing else is kept of it. */
struct mine {
  u32 unused;
};
FOLLOW(mine)

struct by_signal {
  s32 signal, code, result;
  u32 sender, receiver, to_thread;
  u32 from_target, to_target;
  char sender_comm[COMM], receiver_comm[COMM];
};
struct sent {
  u64 count, first_ns, last_ns;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, struct by_signal);
  __type(value, struct sent);
} sent SEC(".maps");

enum meets { A_HANDLER, THE_DEFAULT, IGNORED };
struct by_delivery {
  u32 signal, tgid, meets, pad;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2048);
  __type(key, struct by_delivery);
  __type(value, u64);
} delivered SEC(".maps");

SEC("tp_btf/signal_generate")
int BPF_PROG(generated, int signal, struct kernel_siginfo *info, struct task_struct *task, int group, int result) {
  struct task_struct *from = current();
  u64 to_target = 0, from_target = 0;
  if (own(task)) to_target = 1;
  if (own(from)) from_target = 1;
  barrier_var(to_target); /* else the compiler makes one number of two pointers, which is refused */
  barrier_var(from_target);
  if (!to_target && !from_target) return 0;
  tally(HITS);
  struct by_signal key = {.signal = signal, .result = result, .receiver = tgid_of(task), .to_thread = !group,
                          .to_target = to_target, .from_target = from_target, .sender = tgid_of(from)};
  u64 special = 0; /* two pointers are no pointers; the verifier takes each for one, so it is read as a number */
  bpf_probe_read_kernel(&special, sizeof special, ctx + 1);
  if (special == BY_KERNEL) key.code = SI_KERNEL;
  else if (special != NO_INFO) key.code = BPF_CORE_READ(info, si_code);
  if ((key.code > 0 && signal != SIGCHLD) || key.code == SI_TIMER) { /* whoever is on the CPU did not send it */
    key.sender = 0;
    key.from_target = 0;
    if (!to_target) return 0;
  } else bpf_probe_read_kernel(key.sender_comm, COMM, from->comm);
  bpf_probe_read_kernel(key.receiver_comm, COMM, task->comm);
  u64 now = bpf_ktime_get_ns();
  struct sent *sums = bpf_map_lookup_elem(&sent, &key);
  if (!sums) {
    struct sent none = {.first_ns = now};
    bpf_map_update_elem(&sent, &key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&sent, &key);
    if (!sums) {
      tally(LOST_ENTRY);
      return 0;
    }
  }
  __sync_fetch_and_add(&sums->count, 1);
  sums->last_ns = now;
  return 0;
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(delivers, int signal, struct kernel_siginfo *info, struct k_sigaction *action) {
  struct task_struct *task = current();
  if (!own(task)) return 0;
  u64 handler = (u64)BPF_CORE_READ(action, sa.sa_handler), one = 1;
  struct by_delivery key = {.signal = signal, .tgid = tgid_of(task),
                            .meets = handler == 0 ? THE_DEFAULT : handler == 1 ? IGNORED : A_HANDLER};
  u64 *count = bpf_map_lookup_elem(&delivered, &key);
  if (count) __sync_fetch_and_add(count, 1);
  else if (bpf_map_update_elem(&delivered, &key, &one, BPF_NOEXIST)) {
    count = bpf_map_lookup_elem(&delivered, &key);
    if (count) __sync_fetch_and_add(count, 1);
    else tally(LOST_ENTRY);
  }
  return 0;
}
