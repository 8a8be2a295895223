/* DNS questions of the target and their answers, as its threads send and receive them.
 *
 * A message is read where a thread hands it to the kernel or takes it from there: sendmmsg carries one for A
 * and one for AAAA, over TCP each has its length before it. A question is known by its socket and its number;
 * sent once more it is the same question. It ends when a thread takes the answer, or not at all: what is left
 * in `questions` has none. */
#include "include/target.h"
#include "include/tcp.h"
#include "include/sums.h"

#if defined(__TARGET_ARCH_x86)
enum { READ = 0, WRITE = 1, READV = 19, WRITEV = 20, SENDTO = 44, RECVFROM = 45, SENDMSG = 46, RECVMSG = 47,
       RECVMMSG = 299, SENDMMSG = 307 };
#else
enum { READ = 63, WRITE = 64, READV = 65, WRITEV = 66, SENDTO = 206, RECVFROM = 207, SENDMSG = 211, RECVMSG = 212,
       RECVMMSG = 243, SENDMMSG = 269 };
#endif

#define HEAD 12
#define ANSWER 0x80   /* QR, in the third byte */
#define OPCODE 0x78   /* 0: a question */
#define MOST_DNS 256
#define AT_ONCE_NS 20000000ull /* to another server: asked at once, not again */

const volatile u32 port = 53;

struct question {
  u64 began;
  u32 tid, tgid, type, again;
  struct ends ends;
  char name[MOST_DNS]; /* as it travels: a length before each label, 0 at the end */
};
struct by_number {
  u64 sk;
  u32 number, pad;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, struct by_number);
  __type(value, struct question);
} questions SEC(".maps");

struct answer {
  u64 began, took_ns; /* took_ns 0: none came before the number was used again */
  u32 tid, tgid, type, again, code, records, cut, pad;
  struct ends ends;
  char name[MOST_DNS];
};
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 22);
} answers SEC(".maps");
struct answer *answers_event __attribute__((unused));

/* The call that a thread is in, and room to read a question into. */
struct asking {
  u64 sk, first, second, third;
  u32 number, tcp;
  struct question question;
};
FOLLOW(asking)

struct vector {
  u64 base, length;
};
struct message { /* struct msghdr of a program */
  u64 name;
  u32 name_length, pad;
  u64 vectors, count;
};

static __noinline int tell(struct question *question, u64 now, u32 code, u32 records, u32 cut) {
  if (!question) return 0;
  struct answer *event = bpf_ringbuf_reserve(&answers, sizeof *event, 0);
  if (!event) {
    tally(LOST_EVENT);
    return 0;
  }
  event->began = question->began;
  event->took_ns = now ? now - question->began : 0;
  event->tid = question->tid;
  event->tgid = question->tgid;
  event->type = question->type;
  event->again = question->again;
  event->code = code;
  event->records = records;
  event->cut = cut;
  event->pad = 0;
  event->ends = question->ends;
  memcpy(event->name, question->name, MOST_DNS);
  bpf_ringbuf_submit(event, 0);
  return 0;
}

static __always_inline int same(const char *one, const char *other) {
  for (int k = 0; k < MOST_DNS / 8; k++)
    if (((const u64 *)one)[k] != ((const u64 *)other)[k]) return 0;
  return 1;
}

/* A message that a thread sends; its question goes into the map. */
static __noinline int sent(struct asking *mine, u64 data, u64 length) {
  if (!mine || length < HEAD + 5) return 0;
  u8 head[HEAD];
  if (bpf_probe_read_user(head, sizeof head, (void *)data)) {
    tally(LOST_EVENT);
    return 0;
  }
  if (head[2] & (ANSWER | OPCODE) || head[4] || head[5] != 1) return 0;
  struct question *question = &mine->question;
  memset(question->name, 0, MOST_DNS);
  long size = bpf_probe_read_user_str(question->name, MOST_DNS, (void *)(data + HEAD));
  u8 type[2];
  if (size <= 0 || (u64)size + HEAD + 4 > length || bpf_probe_read_user(type, 2, (void *)(data + HEAD + size))) return 0;
  struct task_struct *task = current();
  question->began = bpf_ktime_get_ns();
  question->tid = tid_of(task);
  question->tgid = tgid_of(task);
  question->type = type[0] << 8 | type[1];
  question->again = 0;
  struct by_number key = {.sk = mine->sk, .number = head[0] << 8 | head[1]};
  struct question *known = bpf_map_lookup_elem(&questions, &key);
  if (known && known->type == question->type && same(known->name, question->name)) {
    if (question->began - known->began > AT_ONCE_NS) __sync_fetch_and_add(&known->again, 1);
    return 0;
  }
  if (known) tell(known, 0, 0, 0, 0);
  if (bpf_map_update_elem(&questions, &key, question, BPF_ANY)) tally(LOST_ENTRY);
  return 0;
}

/* A message that a thread has received; 1 where it answers a question of ours. */
static __noinline int received(struct asking *mine, u64 data, u64 length) {
  if (!mine || length < HEAD) return 0;
  u8 head[HEAD];
  if (bpf_probe_read_user(head, sizeof head, (void *)data) || !(head[2] & ANSWER)) return 0;
  struct by_number key = {.sk = mine->sk, .number = head[0] << 8 | head[1]};
  struct question *question = bpf_map_lookup_elem(&questions, &key);
  if (!question) return 0;
  tell(question, bpf_ktime_get_ns(), head[3] & 15, head[6] << 8 | head[7], head[2] & 2);
  bpf_map_delete_elem(&questions, &key);
  return 1;
}

/* What was sent: over TCP the length comes first, in the same bytes or before them. */
static __always_inline void sent_vectors(struct asking *mine, u64 vectors, u64 count) {
  struct vector parts[4] = {};
  if (count > 4) count = 4;
  if (bpf_probe_read_user(parts, sizeof parts[0] * (count & 7), (void *)vectors)) return;
  if (!mine->tcp) sent(mine, parts[0].base, parts[0].length);
  else if (parts[0].length == 2) {
    sent(mine, parts[1].base, parts[1].length);
    if (count == 4) sent(mine, parts[3].base, parts[3].length);
  } else if (parts[0].length > 2) sent(mine, parts[0].base + 2, parts[0].length - 2);
}

static __always_inline int to_port(u64 address, u32 size, struct ends *ends) {
  struct ends given;
  memset(&given, 0, sizeof given);
  if (!address || !read_address(address, size, &given) || given.far_port != port) return 0;
  given.protocol = IPPROTO_UDP;
  *ends = given;
  return 1;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(begin, struct pt_regs *regs, long number) {
  if (number != READ && number != WRITE && number != READV && number != WRITEV && number != SENDTO &&
      number != RECVFROM && number != SENDMSG && number != RECVMSG && number != RECVMMSG && number != SENDMMSG)
    return 0;
  struct task_struct *task = current();
  struct asking *mine = own(task);
  if (!mine) return 0;
  tally(HITS);
  mine->sk = 0;
#if defined(__TARGET_ARCH_x86)
  u64 descriptor = regs->di, second = regs->si, third = regs->dx, fifth = regs->r8, sixth = regs->r9;
#else
  u64 descriptor = regs->regs[0], second = regs->regs[1], third = regs->regs[2], fifth = regs->regs[4],
      sixth = regs->regs[5];
#endif
  struct file *file = file_of(task, descriptor);
  struct sock *sk = file ? sock_of(file) : 0;
  if (!sk) return 0;
  u16 family = BPF_CORE_READ(sk, __sk_common.skc_family), protocol = BPF_CORE_READ(sk, sk_protocol);
  if ((family != AF_INET && family != AF_INET6) || (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP)) return 0;
  u16 far = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
  if (far != port && (far || protocol == IPPROTO_TCP)) return 0;
  mine->tcp = protocol == IPPROTO_TCP;
  if (number == READ || number == READV || number == RECVFROM || number == RECVMSG || number == RECVMMSG) {
    mine->number = number;
    mine->second = second;
    mine->third = third;
    mine->sk = (u64)sk;
    return 0;
  }
  struct message message = {};
  if ((number == SENDMSG || number == SENDMMSG) && bpf_probe_read_user(&message, sizeof message, (void *)second))
    return 0;
  if (number == SENDTO) {
    message.name = fifth;
    message.name_length = sixth;
  }
  mine->question.ends.far_port = 0;
  if (!to_port(message.name, message.name_length, &mine->question.ends)) {
    if (far != port) return 0;
    read_ends(sk, &mine->question.ends);
    far_only(&mine->question.ends);
  }
  mine->sk = (u64)sk;
  if (number == SENDTO || number == WRITE) {
    if (!mine->tcp) sent(mine, second, third);
    else if (third > 2) sent(mine, second + 2, third - 2);
  } else if (number == WRITEV) sent_vectors(mine, second, third);
  else {
    sent_vectors(mine, message.vectors, message.count);
    for (u64 k = 1; k < 4 && number == SENDMMSG && k < third; k++) { /* 64 bytes each, the length behind it */
      if (bpf_probe_read_user(&message, sizeof message, (void *)(second + 64 * k))) break;
      sent_vectors(mine, message.vectors, message.count);
    }
  }
  mine->sk = 0;
  return 0;
}

static __always_inline void got(struct asking *mine, u64 data, u64 length) {
  if (received(mine, data, length) || !mine->tcp || length <= 2) return;
  received(mine, data + 2, length - 2);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(end, struct pt_regs *regs, long result) {
  struct asking *mine = own(current());
  if (!mine || !mine->sk) return 0;
  u32 number = mine->number;
  if (result > 0) {
    struct vector part = {};
    struct message message = {};
    if (number == READ || number == RECVFROM) got(mine, mine->second, result);
    else if (number == READV) {
      if (!bpf_probe_read_user(&part, sizeof part, (void *)mine->second)) got(mine, part.base, result);
    } else {
      for (u64 k = 0; k < 4; k++) {
        u32 length = result;
        if (bpf_probe_read_user(&message, sizeof message, (void *)(mine->second + 64 * k))) break;
        if (number == RECVMMSG && bpf_probe_read_user(&length, 4, (void *)(mine->second + 64 * k + 56))) break;
        if (bpf_probe_read_user(&part, sizeof part, (void *)message.vectors)) break;
        got(mine, part.base, length);
        if (number != RECVMMSG || (long)k + 1 >= result) break;
      }
    }
  }
  mine->sk = 0;
  return 0;
}
