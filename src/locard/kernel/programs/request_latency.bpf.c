/* Requests that the target serves over TCP, in three parts, by listening address:
 *
 *   socket       data arrives in the kernel -> a thread takes the first of it
 *   application  a thread has taken the first byte -> a thread begins to write
 *   network      the last write of the answer begins -> all of it is acknowledged
 *
 * A request begins with data on a connection that is idle or answered, and ends with the next one or with the
 * connection. Accepted connections carry a storage that they inherit from the listening socket; what threads
 * write is seen at their system calls, by the socket's address. */
#include "include/target.h"
#include "include/tcp.h"
#include "include/sums.h"

#if defined(__TARGET_ARCH_x86)
enum { WRITE = 1, WRITEV = 20, SENDFILE = 40, SENDTO = 44, SENDMSG = 46, SENDMMSG = 307 };
#else
enum { WRITE = 64, WRITEV = 66, SENDFILE = 71, SENDTO = 206, SENDMSG = 211, SENDMMSG = 269 };
#endif
enum { IDLE, ARRIVED, READ, WRITTEN };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sk_buff {
  u32 len;
  unsigned char *head;
  u16 transport_header;
};
#pragma clang attribute pop

struct marked {
  u32 any;
};
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
  __type(key, int);
  __type(value, struct marked);
} marks SEC(".maps");

/* Ports that the target listens on. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, u32);
  __type(value, u32);
} listening SEC(".maps");

struct connection {
  u64 arrived, read, written, acked; /* written: the last write; acked 0: not yet */
  u64 last_ack_at;
  u32 state, end, last_ack, pad;     /* end: the number behind the last byte written */
  struct ends ends;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, u64);
  __type(value, struct connection);
} connections SEC(".maps");

struct parts {
  struct times whole, socket, application, network;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1024);
  __type(key, struct ends);
  __type(value, struct parts);
} served SEC(".maps");

/* The write that a thread is in. */
struct writing {
  u64 sk;
};
FOLLOW(writing)

static const struct parts no_parts = {
    .whole = NO_TIMES, .socket = NO_TIMES, .application = NO_TIMES, .network = NO_TIMES};

static __always_inline void watch(struct sock *sk) {
  if (!bpf_sk_storage_get(&marks, sk, 0, BPF_SK_STORAGE_GET_F_CREATE)) tally(LOST_ENTRY);
}

static __always_inline struct connection *connection_of(struct sock *sk, int make) {
  u64 key = (u64)sk;
  struct connection *known = bpf_map_lookup_elem(&connections, &key);
  if (known || !make) return known;
  struct connection made;
  memset(&made, 0, sizeof made);
  read_ends(sk, &made.ends);
  made.ends.far_port = 0;
  memset(made.ends.far, 0, sizeof made.ends.far);
  if (bpf_map_update_elem(&connections, &key, &made, BPF_ANY)) tally(LOST_ENTRY);
  return bpf_map_lookup_elem(&connections, &key);
}

static __always_inline struct parts *parts_of(struct connection *mine) {
  struct ends key = mine->ends;
  return entry_of(&served, &key, &no_parts);
}

/* The answer is over: what it took to be acknowledged counts. */
static __always_inline void settle(struct connection *mine) {
  if (mine->state != WRITTEN || !mine->acked) return;
  struct parts *parts = parts_of(mine);
  if (parts) add_time(&parts->network, mine->acked - mine->written);
}

SEC("iter/task_file") int listeners(struct bpf_iter__task_file *context) {
  struct file *file = context->file;
  if (!file) return 0;
  struct socket *socket = bpf_sock_from_file(file);
  if (!socket) return 0;
  struct sock *sk = socket->sk;
  if (!sk || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN) return 0;
  u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
  if (family != AF_INET && family != AF_INET6) return 0;
  u32 port = BPF_CORE_READ(sk, __sk_common.skc_num), one = 1;
  bpf_map_update_elem(&listening, &port, &one, BPF_ANY);
  if (is_tcp(sk)) watch(sk);
  return 0;
}

SEC("iter/task_file") int accepted(struct bpf_iter__task_file *context) {
  struct file *file = context->file;
  if (!file) return 0;
  struct socket *socket = bpf_sock_from_file(file);
  if (!socket) return 0;
  struct sock *sk = socket->sk;
  if (!sk || !is_tcp(sk) || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_ESTABLISHED) return 0;
  u32 port = BPF_CORE_READ(sk, __sk_common.skc_num);
  if (bpf_map_lookup_elem(&listening, &port)) watch(sk);
  return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state, struct sock *sk, int before, int after) {
  if (after == TCP_LISTEN) {
    if (own(current()) && is_tcp(sk)) watch(sk);
    return 0;
  }
  if (after != TCP_CLOSE) return 0;
  u64 key = (u64)sk;
  struct connection *mine = bpf_map_lookup_elem(&connections, &key);
  if (!mine) return 0;
  settle(mine);
  bpf_map_delete_elem(&connections, &key);
  return 0;
}

/* Each segment that an established connection receives, before it is taken in. */
SEC("tp_btf/tcp_probe")
int BPF_PROG(segment, struct sock *sk, struct sk_buff *skb) {
  if (!bpf_sk_storage_get(&marks, sk, 0, 0)) return 0;
  tally(HITS);
  u64 now = bpf_ktime_get_ns();
  u8 head[20];
  unsigned char *at = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, transport_header);
  if (bpf_probe_read_kernel(head, sizeof head, at)) return 0;
  u32 size = BPF_CORE_READ(skb, len), own_size = (head[12] >> 4) * 4;
  u32 acknowledged = (u32)head[8] << 24 | (u32)head[9] << 16 | (u32)head[10] << 8 | head[11];
  struct connection *mine = connection_of(sk, size > own_size);
  if (!mine) return 0;
  if (mine->state == WRITTEN) {
    mine->last_ack = acknowledged;
    mine->last_ack_at = now;
    if (mine->end && !mine->acked && (s32)(acknowledged - mine->end) >= 0) mine->acked = now;
  }
  if (size <= own_size || (mine->state != IDLE && mine->state != WRITTEN)) return 0;
  settle(mine);
  mine->arrived = now;
  mine->state = ARRIVED;
  return 0;
}

/* A thread has taken bytes. */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(taken, struct sock *sk) {
  if (!bpf_sk_storage_get(&marks, sk, 0, 0)) return 0;
  struct connection *mine = connection_of(sk, 0);
  if (!mine || mine->state != ARRIVED) return 0;
  mine->read = bpf_ktime_get_ns();
  mine->state = READ;
  struct parts *parts = parts_of(mine);
  if (parts) add_time(&parts->socket, mine->read - mine->arrived);
  return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(begin, struct pt_regs *regs, long number) {
  if (number != WRITE && number != WRITEV && number != SENDFILE && number != SENDTO && number != SENDMSG &&
      number != SENDMMSG)
    return 0;
  struct task_struct *task = current();
  struct writing *writing = own(task);
  if (!writing) return 0;
  tally(HITS);
  writing->sk = 0;
#if defined(__TARGET_ARCH_x86)
  u64 descriptor = regs->di;
#else
  u64 descriptor = regs->regs[0];
#endif
  struct file *file = file_of(task, descriptor);
  struct sock *sk = file ? sock_of(file) : 0;
  struct connection *mine = sk ? connection_of(sk, 0) : 0;
  if (!mine || (mine->state != READ && mine->state != WRITTEN)) return 0;
  u64 now = bpf_ktime_get_ns();
  if (mine->state == READ) {
    struct parts *parts = parts_of(mine);
    if (parts) {
      add_time(&parts->application, now - mine->read);
      add_time(&parts->whole, now - mine->arrived);
    }
  }
  mine->written = now;
  mine->acked = 0;
  mine->end = 0;
  mine->state = WRITTEN;
  writing->sk = (u64)sk;
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(end, struct pt_regs *regs, long result) {
  struct writing *writing = own(current());
  if (!writing || !writing->sk) return 0;
  u64 key = writing->sk;
  writing->sk = 0;
  struct connection *mine = bpf_map_lookup_elem(&connections, &key);
  if (!mine || mine->state != WRITTEN || result <= 0) return 0;
  mine->end = BPF_CORE_READ((struct tcp_sock *)key, write_seq);
  if (mine->last_ack_at > mine->written && (s32)(mine->last_ack - mine->end) >= 0) mine->acked = mine->last_ack_at;
  return 0;
}
