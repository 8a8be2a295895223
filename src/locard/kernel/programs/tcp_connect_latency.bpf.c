/* TCP connections that the target begins: to whom, what came of each, and how long that took.
 *
 * An attempt begins with the state SYN_SENT, in the thread that connects, and ends with the next state,
 * wherever that comes: the socket is its key, so nobody's pid matters. A socket that is closed before an
 * answer has no error: the target gave up. What fails before a state changes (no route, no port left) is told
 * by connect's own result; EINPROGRESS is none. A second connect on the same socket asks, and begins nothing. */
#include "include/target.h"
#include "include/tcp.h"
#include "include/sums.h"

#define GAVE_UP 1000 /* beside the errno values */

#if defined(__TARGET_ARCH_x86)
#define CONNECT 42
#else
#define CONNECT 203
#endif

const volatile u32 only_port = 0;
const volatile u32 tell_each = 0; /* each attempt is an event */

/* The connect that a thread is in. */
struct connecting {
  u64 began;
  u64 sk;
  u32 unconnected; /* it begins an attempt: it does not ask for one */
  u32 started;     /* the socket's state has changed */
  struct ends ends;
};

/* An attempt that has no result yet; by its socket. */
struct attempt {
  u64 began, ended; /* ended: closed within connect, whose result tells why */
  u32 tid, tgid, retransmits, pad;
  struct ends ends;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, u64);
  __type(value, struct attempt);
} attempts SEC(".maps");

struct by_peer {
  struct ends ends;
  u32 error;
};
struct results {
  struct times times;
  u64 retransmits;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 8192);
  __type(key, struct by_peer);
  __type(value, struct results);
} peers SEC(".maps");

struct connected {
  u64 began, took_ns;
  u32 tid, tgid, error, retransmits;
  struct ends ends;
};
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} each SEC(".maps");
struct connected *each_event __attribute__((unused));

static const struct results no_results = {.times = NO_TIMES};

FOLLOW(connecting)

static __noinline int count(struct attempt *attempt, u64 took, u32 error) {
  if (!attempt) return 0;
  tally(HITS);
  struct by_peer key;
  memset(&key, 0, sizeof key);
  key.ends = attempt->ends;
  key.error = error;
  far_only(&key.ends);
  struct results *sums = entry_of(&peers, &key, &no_results);
  if (sums) {
    add_time(&sums->times, took);
    __sync_fetch_and_add(&sums->retransmits, attempt->retransmits);
  }
  if (tell_each) {
    struct connected *event = bpf_ringbuf_reserve(&each, sizeof *event, 0);
    if (!event) {
      tally(LOST_EVENT);
      return 0;
    }
    event->began = attempt->began;
    event->took_ns = took;
    event->tid = attempt->tid;
    event->tgid = attempt->tgid;
    event->error = error;
    event->retransmits = attempt->retransmits;
    event->ends = attempt->ends;
    bpf_ringbuf_submit(event, 0);
  }
  return 0;
}

static __always_inline void finish(u64 sk, struct attempt *attempt, u64 at, u32 error) {
  struct attempt done = *attempt;
  /* Of two that end it only one counts. */
  if (bpf_map_delete_elem(&attempts, &sk)) return;
  count(&done, at - done.began, error);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state, struct sock *sk, int before, int after) {
  u64 now = bpf_ktime_get_ns(), key = (u64)sk;
  if (before == TCP_CLOSE && after == TCP_SYN_SENT) {
    struct task_struct *task = current();
    struct connecting *mine = own(task);
    if (!mine || !is_tcp(sk)) return 0;
    struct attempt attempt;
    memset(&attempt, 0, sizeof attempt);
    attempt.began = now;
    attempt.tid = tid_of(task);
    attempt.tgid = tgid_of(task);
    read_ends(sk, &attempt.ends);
    if (mine->sk == key) {
      mine->started = 1;
      attempt.began = mine->began;
    }
    if (only_port && attempt.ends.far_port != only_port) return 0;
    if (bpf_map_update_elem(&attempts, &key, &attempt, BPF_ANY)) tally(LOST_ENTRY);
    return 0;
  }
  if (before != TCP_SYN_SENT && before != TCP_SYN_RECV) return 0;
  if (after != TCP_ESTABLISHED && after != TCP_CLOSE) return 0;
  struct attempt *attempt = bpf_map_lookup_elem(&attempts, &key);
  if (!attempt) return 0;
  if (after == TCP_ESTABLISHED) {
    read_ends(sk, &attempt->ends); /* the near port is chosen only after SYN_SENT */
    finish(key, attempt, now, 0);
    return 0;
  }
  u32 error = BPF_CORE_READ(sk, sk_err);
  if (!error) {
    struct connecting *mine = own(current());
    if (mine && mine->sk == key) {
      attempt->ended = now;
      return 0;
    }
    error = GAVE_UP;
  }
  finish(key, attempt, now, error);
  return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(again, struct sock *sk) {
  u64 key = (u64)sk;
  struct attempt *attempt = bpf_map_lookup_elem(&attempts, &key);
  if (attempt) __sync_fetch_and_add(&attempt->retransmits, 1);
  return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(begin, struct pt_regs *regs, long number) {
  if (number != CONNECT) return 0;
  struct task_struct *task = current();
  struct connecting *mine = own(task);
  if (!mine) return 0;
  mine->sk = 0;
#if defined(__TARGET_ARCH_x86)
  u64 descriptor = regs->di, address = regs->si, size = regs->dx;
#else
  u64 descriptor = regs->regs[0], address = regs->regs[1], size = regs->regs[2];
#endif
  struct file *file = file_of(task, descriptor);
  struct sock *sk = file ? sock_of(file) : 0;
  if (!sk) return 0;
  u16 family = BPF_CORE_READ(sk, __sk_common.skc_family), protocol = BPF_CORE_READ(sk, sk_protocol);
  if (family != AF_INET && family != AF_INET6) return 0;
  if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP) return 0;
  memset(&mine->ends, 0, sizeof mine->ends);
  if (!read_address(address, size, &mine->ends)) return 0;
  mine->ends.protocol = IPPROTO_TCP;
  struct socket___state *socket = (void *)BPF_CORE_READ(file, private_data);
  mine->unconnected = BPF_CORE_READ(socket, state) == SS_UNCONNECTED_;
  mine->started = 0;
  mine->sk = (u64)sk;
  mine->began = bpf_ktime_get_ns();
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(end, struct pt_regs *regs, long result) {
  struct task_struct *task = current();
  struct connecting *mine = own(task);
  if (!mine || !mine->sk) return 0;
  u64 sk = mine->sk;
  mine->sk = 0;
  struct attempt *attempt = bpf_map_lookup_elem(&attempts, &sk);
  if (attempt && attempt->ended) {
    finish(sk, attempt, attempt->ended, is_error(result) && !is_restart(result) ? -result : GAVE_UP);
    return 0;
  }
  if (!is_error(result) || is_restart(result) || mine->started || !mine->unconnected) return 0;
  if (result == -EINPROGRESS) return 0; /* fast open: the first write begins it */
  if (only_port && mine->ends.far_port != only_port) return 0;
  struct attempt failed;
  memset(&failed, 0, sizeof failed);
  failed.began = mine->began;
  failed.tid = tid_of(task);
  failed.tgid = tgid_of(task);
  failed.ends = mine->ends;
  count(&failed, bpf_ktime_get_ns() - mine->began, -result);
  return 0;
}
