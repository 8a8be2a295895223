/* TCP sockets: their states, what the counters of a connection are called, a peer as a key. */
#ifndef LOCARD_TCP_H
#define LOCARD_TCP_H

#include "files.h"

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262

enum { TCP_ESTABLISHED = 1, TCP_SYN_SENT, TCP_SYN_RECV, TCP_CLOSE = 7, TCP_LISTEN = 10 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct socket___state {
  enum { SS_UNCONNECTED_ = 1 } state;
};
struct bpf_iter__task_file {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
  u32 fd;
  struct file *file;
};
struct inet_connection_sock {
  u8 icsk_ca_state : 5;
  u8 icsk_pending;
};
struct request_sock {
  struct sock_common __req_common;
};
struct tcp_sock {
  u32 segs_out, data_segs_out, total_retrans, snd_wnd, write_seq, snd_una, snd_nxt, rcv_nxt, copied_seq;
  u64 bytes_sent, bytes_retrans;
  u8 chrono_type : 2;
  u32 chrono_start, chrono_stat[3];
};

#pragma clang attribute pop

/* `struct ends` of which only the far one is known, so that it can be a key: the near one is 0. */
static __always_inline void far_only(struct ends *ends) {
  ends->local_port = 0;
  memset(ends->local, 0, sizeof ends->local);
}

static __always_inline int is_tcp(struct sock *sk) {
  u16 family = BPF_CORE_READ(sk, __sk_common.skc_family), protocol = BPF_CORE_READ(sk, sk_protocol);
  return (family == AF_INET || family == AF_INET6) && protocol == IPPROTO_TCP;
}

/* An address as programs give it to the kernel, into the far end; 0 where it is none of IP. */
static __always_inline int read_address(u64 user, u32 size, struct ends *ends) {
  struct {
    u16 family, port;
    union {
      u8 v4[4];
      struct {
        u32 flow;
        u8 v6[16];
      };
    };
  } given = {};
  if (size < 16 || bpf_probe_read_user(&given, 8, (void *)user)) return 0;
  ends->far_port = __builtin_bswap16(given.port);
  ends->family = given.family;
  if (given.family == AF_INET) {
    memcpy(ends->far, given.v4, 4);
    return 1;
  }
  if (given.family != AF_INET6 || size < 24) return 0;
  return bpf_probe_read_user(ends->far, 16, (void *)(user + 8)) == 0;
}

#endif
