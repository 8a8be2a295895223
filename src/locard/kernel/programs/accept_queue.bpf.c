/* What waits to be accepted at the target's listening TCP sockets: how many against how many may, how long.
 *
 * A listening socket carries a storage of ours, which a connection inherits when the kernel makes it. It waits
 * from ESTABLISHED until accept gives it to somebody, in whichever process, or until it closes. */
#include "include/target.h"
#include "include/tcp.h"
#include "include/sums.h"

#if defined(__TARGET_ARCH_x86)
enum { ACCEPT = 43, ACCEPT4 = 288 };
#define NUMBER_OF(regs) ((long)(regs)->orig_ax)
#else
enum { ACCEPT = 202, ACCEPT4 = 242 };
#define NUMBER_OF(regs) ((long)(regs)->syscallno)
#endif
#define APART_NS 200000000ull /* between two looks at one socket: several processes may hold it */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
typedef struct {
  int counter;
} atomic_t;
struct sock___drops {
  atomic_t sk_drops;
};
#pragma clang attribute pop

struct marked {
  u64 listener;
};
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
  __type(key, int);
  __type(value, struct marked);
} marks SEC(".maps");

struct listener {
  struct ends ends;
  u32 first_drops, drops; /* SYNs and connections that this socket threw away, since it began */
  u32 waiting, most_waiting, room, before; /* before: waited when we came */
  u64 looks, full_looks, last_look, closed;
  struct times times;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4096);
  __type(key, u64);
  __type(value, struct listener);
} listeners SEC(".maps");

/* Connections that wait; by their socket. */
struct waiting {
  u64 since, listener;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, u64);
  __type(value, struct waiting);
} queued SEC(".maps");

struct thread {
  u32 any;
};
FOLLOW(thread)

static const struct listener none = {.times = NO_TIMES};

static __always_inline u32 drops_of(struct sock *sk) {
  struct sock___drops *with = (void *)sk;
  return bpf_core_field_exists(with->sk_drops) ? BPF_CORE_READ(with, sk_drops.counter) : 0;
}

static __always_inline void look(struct sock *sk, u64 now) {
  u64 key = (u64)sk;
  struct listener *mine = bpf_map_lookup_elem(&listeners, &key);
  if (!mine) return;
  mine->waiting = BPF_CORE_READ(sk, sk_ack_backlog);
  mine->room = BPF_CORE_READ(sk, sk_max_ack_backlog);
  mine->drops = drops_of(sk);
  if (mine->waiting > mine->most_waiting) mine->most_waiting = mine->waiting;
  if (now && now - mine->last_look >= APART_NS) {
    mine->last_look = now;
    mine->looks++;
    if (mine->waiting > mine->room) mine->full_looks++;
  }
}

static __always_inline void watch(struct sock *sk) {
  if (bpf_sk_storage_get(&marks, sk, 0, 0)) return;
  struct marked *mark = bpf_sk_storage_get(&marks, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  u64 key = (u64)sk;
  struct listener *mine = mark ? entry_of(&listeners, &key, &none) : 0;
  if (!mine) {
    tally(LOST_ENTRY);
    return;
  }
  mark->listener = key;
  read_ends(sk, &mine->ends);
  mine->first_drops = drops_of(sk);
  mine->before = BPF_CORE_READ(sk, sk_ack_backlog);
}

/* What the target listens on, again and again. */
SEC("iter/task_file") int listening(struct bpf_iter__task_file *context) {
  struct file *file = context->file;
  if (!file) return 0;
  struct socket *socket = bpf_sock_from_file(file);
  if (!socket) return 0;
  struct sock *sk = socket->sk;
  if (!sk || !is_tcp(sk) || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN) return 0;
  watch(sk);
  look(sk, bpf_ktime_get_ns());
  return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state, struct sock *sk, int before, int after) {
  u64 now = bpf_ktime_get_ns(), key = (u64)sk;
  if (after == TCP_LISTEN) {
    if (own(current()) && is_tcp(sk)) watch(sk);
    return 0;
  }
  if (before == TCP_LISTEN) {
    look(sk, 0);
    return 0;
  }
  if (before == TCP_SYN_RECV && after == TCP_ESTABLISHED) {
    struct marked *mark = bpf_sk_storage_get(&marks, sk, 0, 0);
    if (!mark || !mark->listener) return 0;
    tally(HITS);
    struct waiting waiting = {.since = now, .listener = mark->listener};
    if (bpf_map_update_elem(&queued, &key, &waiting, BPF_ANY)) tally(LOST_ENTRY);
    look((struct sock *)mark->listener, 0);
    return 0;
  }
  if (after != TCP_CLOSE) return 0;
  struct waiting *waiting = bpf_map_lookup_elem(&queued, &key);
  if (!waiting) return 0;
  u64 of = waiting->listener;
  struct listener *mine = bpf_map_lookup_elem(&listeners, &of);
  if (!bpf_map_delete_elem(&queued, &key) && mine) __sync_fetch_and_add(&mine->closed, 1);
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(accepted, struct pt_regs *regs, long result) {
  long number = NUMBER_OF(regs);
  if ((number != ACCEPT && number != ACCEPT4) || result < 0) return 0;
  struct file *file = file_of(current(), result);
  u64 key = file ? (u64)sock_of(file) : 0, now = bpf_ktime_get_ns();
  struct waiting *waiting = key ? bpf_map_lookup_elem(&queued, &key) : 0;
  if (!waiting) return 0;
  u64 of = waiting->listener, since = waiting->since;
  if (bpf_map_delete_elem(&queued, &key)) return 0;
  struct listener *mine = bpf_map_lookup_elem(&listeners, &of);
  if (mine) add_time(&mine->times, now - since);
  return 0;
}
