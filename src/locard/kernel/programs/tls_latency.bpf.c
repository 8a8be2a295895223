/* TLS of the target: handshakes, reads and writes through OpenSSL and GnuTLS, by library.
 *
 * A handshake begins with the first call for a session and ends with the call that says it is done, however
 * often the program came back for it; SSL_get_error tells a failure from "not now". Calls inside another
 * one (SSL_connect calls SSL_do_handshake) are not counted again. */
#include "include/target.h"
#include "include/calls.h"
#include "include/sums.h"

enum kind { NOTHING, HANDSHAKE, READS, READS_EX, WRITES, WRITES_EX, ERRORS, FREES, GNU_HANDSHAKE, GNU_READS,
            GNU_WRITES };
enum result { OK, NOT_NOW, FAILED, GAVE_UP };
#define DEEPEST 4
#define SSL_ERROR_SSL 1
#define SSL_ERROR_SYSCALL 5
#define SSL_ERROR_ZERO_RETURN 6
#define GNUTLS_AGAIN (-28)
#define GNUTLS_INTERRUPTED (-52)

struct open_call {
  u64 stack, began, session, bytes_at;
  u32 function, kind;
};
struct thread {
  struct open_call calls[DEEPEST];
  u32 depth;
};
FOLLOW(thread)

/* Written from outside, so without types: they are no results. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, MOST_FUNCTIONS);
  __uint(key_size, 4);
  __uint(value_size, 4);
} kinds SEC(".maps");

struct by_session {
  u64 session;
  u32 tgid, pad;
};
struct handshake {
  u64 began, inside_ns, calls;
  u32 function, tid;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, struct by_session);
  __type(value, struct handshake);
} handshakes SEC(".maps");

struct by_function {
  u32 function, result;
};
struct moved {
  struct times times;
  u64 bytes, inside_ns, calls; /* of handshakes: time in the library, calls that they took */
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 2048);
  __type(key, struct by_function);
  __type(value, struct moved);
} tls SEC(".maps");

static const struct moved none = {.times = NO_TIMES};

static __always_inline struct moved *add(u32 function, u32 result, u64 took) {
  struct by_function key = {.function = function, .result = result};
  struct moved *sums = entry_of(&tls, &key, &none);
  if (sums) add_time(&sums->times, took);
  return sums;
}

static __always_inline u32 kind_of(u32 function) {
  u32 *kind = bpf_map_lookup_elem(&kinds, &function);
  return kind ? *kind : NOTHING;
}

/* A handshake is over. */
static __always_inline void over(u64 session, u32 result, u64 now) {
  struct by_session key = {.session = session, .tgid = tgid_of(bpf_get_current_task_btf())};
  struct handshake *known = bpf_map_lookup_elem(&handshakes, &key);
  if (!known) return;
  struct handshake done = *known;
  if (bpf_map_delete_elem(&handshakes, &key)) return;
  struct moved *sums = add(done.function, result, now - done.began);
  if (!sums) return;
  __sync_fetch_and_add(&sums->inside_ns, done.inside_ns);
  __sync_fetch_and_add(&sums->calls, done.calls);
}

static __always_inline int entered(struct pt_regs *regs) {
  u64 cookie = bpf_get_attach_cookie(regs);
  if (cookie == SELF_TEST) {
    seen_self();
    return 0;
  }
  u32 function = FUNCTION_OF(cookie);
  if (function >= OWN_FUNCTIONS) return 0;
  struct thread *thread = own(current());
  if (!thread) return 0;
  tally(HITS);
  u64 now = bpf_ktime_get_ns(), stack = STACK_AT_ENTRY(regs), session = FIRST(regs);
  u32 kind = kind_of(function);
  if (kind == FREES) {
    over(session, GAVE_UP, now);
    return 0;
  }
  for (int k = 0; k < DEEPEST; k++) { /* what a longjmp left behind */
    u32 depth = thread->depth;
    if (!depth || depth > DEEPEST || thread->calls[(depth - 1) & (DEEPEST - 1)].stack > stack) break;
    thread->depth = depth - 1;
  }
  u32 depth = thread->depth;
  if (depth >= DEEPEST || !RETURN_IS_SEEN(cookie)) return 0;
  struct open_call *call = &thread->calls[depth & (DEEPEST - 1)];
  call->stack = stack;
  call->began = now;
  call->session = session;
  call->bytes_at = kind == READS_EX || kind == WRITES_EX ? FOURTH(regs) : 0;
  call->function = function;
  call->kind = kind;
  thread->depth = depth + 1;
  if (depth || (kind != HANDSHAKE && kind != GNU_HANDSHAKE)) return 0;
  struct by_session key = {.session = session, .tgid = tgid_of(bpf_get_current_task_btf())};
  struct handshake begun = {.began = now, .function = function, .tid = tid_of(bpf_get_current_task_btf())};
  if (!bpf_map_lookup_elem(&handshakes, &key) && bpf_map_update_elem(&handshakes, &key, &begun, BPF_NOEXIST))
    tally(LOST_ENTRY);
  return 0;
}

static __always_inline int left(struct pt_regs *regs) {
  u64 now = bpf_ktime_get_ns(), cookie = bpf_get_attach_cookie(regs), stack = STACK_AT_RETURN(regs);
  struct thread *thread = own(current());
  if (!thread || FUNCTION_OF(cookie) >= OWN_FUNCTIONS) return 0;
  struct open_call *call = 0;
  u32 depth = thread->depth;
  for (int k = 0; k < DEEPEST; k++) {
    if (!depth || depth > DEEPEST) return 0;
    depth--;
    call = &thread->calls[depth & (DEEPEST - 1)];
    if (call->stack >= stack) break;
  }
  thread->depth = depth;
  if (!call || call->stack != stack || call->function != FUNCTION_OF(cookie)) return 0;
  if (depth && call->kind != ERRORS) return 0;
  u64 took = now - call->began;
  s32 result = RESULT(regs);
  u32 kind = call->kind;
  if (kind == ERRORS) {
    if (result == SSL_ERROR_SSL || result == SSL_ERROR_SYSCALL || result == SSL_ERROR_ZERO_RETURN)
      over(call->session, FAILED, now);
    return 0;
  }
  if (kind == HANDSHAKE || kind == GNU_HANDSHAKE) {
    struct by_session key = {.session = call->session, .tgid = tgid_of(bpf_get_current_task_btf())};
    struct handshake *known = bpf_map_lookup_elem(&handshakes, &key);
    if (known) {
      __sync_fetch_and_add(&known->inside_ns, took);
      __sync_fetch_and_add(&known->calls, 1);
    }
    if (kind == HANDSHAKE ? result == 1 : result == 0) over(call->session, OK, now);
    else if (kind == GNU_HANDSHAKE && result != GNUTLS_AGAIN && result != GNUTLS_INTERRUPTED)
      over(call->session, FAILED, now);
    return 0;
  }
  u64 bytes = 0;
  int fine = result > 0;
  if (fine && call->bytes_at) bpf_probe_read_user(&bytes, sizeof bytes, (void *)call->bytes_at);
  else if (fine) bytes = result;
  struct moved *sums = add(call->function, fine ? OK : NOT_NOW, took);
  if (sums) __sync_fetch_and_add(&sums->bytes, bytes);
  return 0;
}

SEC("uprobe.multi") int enter_multi(struct pt_regs *regs) { return entered(regs); }
SEC("uprobe") int enter(struct pt_regs *regs) { return entered(regs); }
SEC("uprobe.multi") int leave_multi(struct pt_regs *regs) { return left(regs); }
SEC("uprobe") int leave(struct pt_regs *regs) { return left(regs); }
