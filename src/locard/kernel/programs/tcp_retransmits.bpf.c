/* Segments that the target's connections sent again, by peer, beside those that they sent.
 *
 * Whose a retransmit is tells the socket, never who runs when its timer fires: sockets of the target carry a
 * storage of ours, from when it begins to connect or to listen, or from the first look at what it holds open.
 * A connection that it accepts inherits that of the listening socket. The kernel's own counters of a
 * connection are read as differences: when something is sent again, when its state changes, when it ends, and
 * once more when the observation ends. */
#include "include/target.h"
#include "include/tcp.h"
#include "include/sums.h"

#define LOSS_PROBE 5 /* icsk_pending: the timer that has fired */
enum { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };

/* What was seen of a connection so far. */
struct watched {
  u32 accepted; /* its far port means nothing: it is kept by the near one */
  u32 port;     /* the near one: the kernel forgets it when the connection closes */
  u32 done;     /* it had its last look: several processes may hold it */
  u32 segments, again;
  u32 chrono[3];
  u64 bytes;
};
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
  __type(key, int);
  __type(value, struct watched);
} watched SEC(".maps");

/* By peer; of accepted connections by the near port and the far host. */
struct by_peer {
  struct ends ends;
  u32 accepted;
};
struct sent {
  u64 segments, bytes, again, probes, timeouts, synacks;
  u64 busy, narrow; /* jiffies with something to send; of these, without room at the receiver */
  u64 sockets, closed_windows; /* how many were looked at when the observation ended, and were full */
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, struct by_peer);
  __type(value, struct sent);
} peers SEC(".maps");

/* Ports that the target listens on. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, u32);
  __type(value, u32);
} listening SEC(".maps");

struct thread {
  u32 any;
};
FOLLOW(thread)

static __always_inline void read_chrono(struct tcp_sock *tcp, u32 chrono[3]) {
  bpf_core_read(chrono, 3 * sizeof *chrono, &tcp->chrono_stat);
  u32 now = bpf_jiffies64(), since = now - BPF_CORE_READ(tcp, chrono_start);
  u32 type = BPF_CORE_READ_BITFIELD_PROBED(tcp, chrono_type);
  if (type == 1) chrono[0] += since;
  else if (type == 2) chrono[1] += since;
  else if (type == 3) chrono[2] += since;
}

/* Begin to watch it: what it has sent so far is not ours. */
static __always_inline void watch(struct sock *sk, u32 accepted) {
  if (!is_tcp(sk) || bpf_sk_storage_get(&watched, sk, 0, 0)) return;
  struct watched *mine = bpf_sk_storage_get(&watched, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (!mine) {
    tally(LOST_ENTRY);
    return;
  }
  struct tcp_sock *tcp = (struct tcp_sock *)sk;
  mine->accepted = accepted;
  mine->port = BPF_CORE_READ(sk, __sk_common.skc_num);
  mine->segments = BPF_CORE_READ(tcp, data_segs_out);
  mine->again = BPF_CORE_READ(tcp, total_retrans);
  mine->bytes = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans);
  read_chrono(tcp, mine->chrono);
}

static __noinline struct sent *sums_of(struct sock *sk, u32 accepted, u32 port) {
  static const struct sent none;
  struct by_peer key;
  memset(&key, 0, sizeof key);
  read_ends(sk, &key.ends);
  memset(key.ends.local, 0, sizeof key.ends.local);
  key.accepted = accepted;
  if (accepted) key.ends.far_port = 0;
  key.ends.local_port = accepted ? port : 0;
  return entry_of(&peers, &key, &none);
}

static __always_inline u64 since32(u32 now, u32 before) { return now >= before ? now - before : now; }

/* Add what the connection has sent since the last time. */
static __always_inline struct sent *take(struct sock *sk, struct watched *mine) {
  struct sent *sums = sums_of(sk, mine->accepted, mine->port);
  if (!sums) return 0;
  struct tcp_sock *tcp = (struct tcp_sock *)sk;
  u32 segments = BPF_CORE_READ(tcp, data_segs_out), again = BPF_CORE_READ(tcp, total_retrans), chrono[3];
  u64 bytes = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans);
  read_chrono(tcp, chrono);
  __sync_fetch_and_add(&sums->segments, since32(segments, mine->segments));
  __sync_fetch_and_add(&sums->again, since32(again, mine->again));
  __sync_fetch_and_add(&sums->bytes, bytes >= mine->bytes ? bytes - mine->bytes : bytes);
  u64 narrow = since32(chrono[1], mine->chrono[1]);
  __sync_fetch_and_add(&sums->narrow, narrow);
  __sync_fetch_and_add(&sums->busy,
                       narrow + since32(chrono[0], mine->chrono[0]) + since32(chrono[2], mine->chrono[2]));
  mine->segments = segments;
  mine->again = again;
  mine->bytes = bytes;
  memcpy(mine->chrono, chrono, sizeof chrono);
  return sums;
}

/* What the target holds open when we come: first what it listens on, then the connections. */
SEC("iter/task_file") int listeners(struct bpf_iter__task_file *context) {
  struct file *file = context->file;
  if (!file) return 0;
  struct socket *socket = bpf_sock_from_file(file);
  if (!socket) return 0;
  struct sock *sk = socket->sk;
  if (!sk || !is_tcp(sk) || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN) return 0;
  u32 port = BPF_CORE_READ(sk, __sk_common.skc_num), one = 1;
  bpf_map_update_elem(&listening, &port, &one, BPF_ANY);
  watch(sk, 1);
  return 0;
}

SEC("iter/task_file") int connections(struct bpf_iter__task_file *context) {
  struct file *file = context->file;
  if (!file) return 0;
  struct socket *socket = bpf_sock_from_file(file);
  if (!socket) return 0;
  struct sock *sk = socket->sk;
  if (!sk || !is_tcp(sk)) return 0;
  u32 port = BPF_CORE_READ(sk, __sk_common.skc_num);
  u32 state = BPF_CORE_READ(sk, __sk_common.skc_state);
  if (state != TCP_CLOSE) watch(sk, bpf_map_lookup_elem(&listening, &port) != 0);
  return 0;
}

/* The last look. */
SEC("iter/task_file") int finish(struct bpf_iter__task_file *context) {
  struct file *file = context->file;
  if (!file) return 0;
  struct socket *socket = bpf_sock_from_file(file);
  if (!socket) return 0;
  struct sock *sk = socket->sk;
  if (!sk) return 0;
  struct watched *mine = bpf_sk_storage_get(&watched, sk, 0, 0);
  u32 state = BPF_CORE_READ(sk, __sk_common.skc_state);
  if (!mine || mine->done || state == TCP_LISTEN || state == TCP_CLOSE) return 0;
  mine->done = 1;
  struct sent *sums = take(sk, mine);
  if (!sums) return 0;
  struct tcp_sock *tcp = (struct tcp_sock *)sk;
  __sync_fetch_and_add(&sums->sockets, 1);
  if (state != TCP_SYN_SENT && !BPF_CORE_READ(tcp, snd_wnd)) __sync_fetch_and_add(&sums->closed_windows, 1);
  return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state, struct sock *sk, int before, int after) {
  if (before == TCP_CLOSE && (after == TCP_SYN_SENT || after == TCP_LISTEN)) {
    if (own(current())) watch(sk, after == TCP_LISTEN);
    return 0;
  }
  struct watched *mine = bpf_sk_storage_get(&watched, sk, 0, 0);
  if (mine && before != TCP_LISTEN && before != TCP_SYN_RECV) take(sk, mine);
  return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroyed, struct sock *sk) {
  struct watched *mine = bpf_sk_storage_get(&watched, sk, 0, 0);
  u32 state = BPF_CORE_READ(sk, __sk_common.skc_state);
  if (mine && state != TCP_LISTEN && BPF_CORE_READ(sk, __sk_common.skc_dport)) take(sk, mine);
  return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(again, struct sock *sk) {
  struct watched *mine = bpf_sk_storage_get(&watched, sk, 0, 0);
  if (!mine) return 0;
  tally(HITS);
  struct inet_connection_sock *connection = (struct inet_connection_sock *)sk;
  u32 phase = BPF_CORE_READ_BITFIELD_PROBED(connection, icsk_ca_state);
  u32 pending = BPF_CORE_READ(connection, icsk_pending);
  u32 segments = since32(BPF_CORE_READ((struct tcp_sock *)sk, total_retrans), mine->again);
  struct sent *sums = take(sk, mine);
  if (!sums) return 0;
  if (phase == CA_LOSS) __sync_fetch_and_add(&sums->timeouts, segments);
  else if (pending == LOSS_PROBE && (phase == CA_OPEN || phase == CA_CWR))
    __sync_fetch_and_add(&sums->probes, segments);
  return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(synack, struct sock *sk, struct request_sock *request) {
  struct watched *mine = bpf_sk_storage_get(&watched, sk, 0, 0);
  if (!mine) return 0;
  tally(HITS);
  static const struct sent none;
  struct by_peer key;
  memset(&key, 0, sizeof key);
  key.accepted = 1;
  key.ends.protocol = IPPROTO_TCP;
  key.ends.family = BPF_CORE_READ(request, __req_common.skc_family);
  key.ends.local_port = BPF_CORE_READ(request, __req_common.skc_num);
  if (key.ends.family == AF_INET) BPF_CORE_READ_INTO((u32 *)key.ends.far, request, __req_common.skc_daddr);
  else BPF_CORE_READ_INTO((struct in6_addr *)key.ends.far, request, __req_common.skc_v6_daddr);
  struct sent *sums = entry_of(&peers, &key, &none);
  if (sums) __sync_fetch_and_add(&sums->synacks, 1);
  return 0;
}
