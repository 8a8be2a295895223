/* Calls of library functions, summed in the kernel: by function and thread, sizes asked for, bytes moved.
 *
 * Each function that is attached to has a number, which comes as the cookie. Only the target's processes have
 * the probes, so nobody is looked up and nobody else pays. Entries count; returns, where they are attached,
 * give wall time and what came of it. A call inside another counted one is told apart, so that a total counts
 * it once: by the calls that this thread is in, by the return address for functions whose return is not seen
 * (`operator new`, through which exceptions pass), and for a jump in place of a call by both. */
#include "include/calls.h"

#define DEEPEST 16
#define MOST_WRAPPERS 24
#define MOST_BYTES (1ull << 47) /* of an address space: more than this cannot be given to anybody */

/* What the arguments and the result mean. */
enum kind { PLAIN, SIZE_FIRST, SIZE_PRODUCT, SIZE_SECOND, SIZE_THIRD, FREES, MOVES, MOVES_BY_POINTER };
#define ALLOCATES(kind) ((kind) >= SIZE_FIRST && (kind) <= SIZE_THIRD)

const volatile u32 with_stacks = 0;

struct open_call {
  u64 stack, caller, began, argument, spent; /* spent: by probes of this thread, until it began */
  u64 added;                                 /* to the bytes that were asked for */
  u32 function, site, inside, pad;
};
struct thread {
  struct open_call calls[DEEPEST]; /* whose return will be seen */
  u64 last_stack, last_caller, spent;
  u32 depth, last_function;
};
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct thread);
} threads SEC(".maps");

/* Written from outside, so without types: they are no results. `kinds`: the kind of each function; `wrappers`:
 * by process, where the code of counted functions lies whose return is not seen. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, MOST_FUNCTIONS);
  __uint(key_size, 4);
  __uint(value_size, 4);
} kinds SEC(".maps");
struct ranges {
  u64 from[MOST_WRAPPERS], to[MOST_WRAPPERS];
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __uint(key_size, 4);
  __uint(value_size, sizeof(struct ranges));
} wrappers SEC(".maps");

/* By thread and function; only the thread itself changes its entry. */
struct by_thread {
  u32 tid, function;
};
struct sums {
  u64 count, inside, total_ns, max_ns, ended, bytes, inside_bytes, null, failed;
  u64 impossible; /* requests of more than MOST_BYTES, inside no other call: in no sum of bytes */
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 32768);
  __type(key, struct by_thread);
  __type(value, struct sums);
} calls SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MOST_FUNCTIONS);
  __type(key, u32);
  __type(value, struct latencies);
} took SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MOST_FUNCTIONS);
  __type(key, u32);
  __type(value, struct latencies);
} asked SEC(".maps");

/* The sizes as they were asked for, of calls inside no other; those that do not fit are in `asked` alone. */
struct by_size {
  u64 bytes;
  u32 function, pad;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4096);
  __type(key, struct by_size);
  __type(value, u64);
} sizes SEC(".maps");

struct by_stack {
  u64 caller; /* at an entry the frame pointer is still the caller's, so the kernel leaves the caller out */
  u32 tgid, function;
  s32 user, pad;
};
struct stack_sums {
  u64 count, bytes;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 8192);
  __type(key, struct by_stack);
  __type(value, struct stack_sums);
} stacks SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, 8192);
  __uint(key_size, 4);
  __uint(value_size, 127 * 8);
} stack_traces SEC(".maps");

static const struct latencies no_latencies;

static __always_inline void add_slot(void *map, u32 function, u64 value) {
  struct latencies *slots = bpf_map_lookup_elem(map, &function);
  if (!slots) {
    bpf_map_update_elem(map, &function, &no_latencies, BPF_NOEXIST);
    slots = bpf_map_lookup_elem(map, &function);
    if (!slots) {
      tally(LOST_ENTRY);
      return;
    }
  }
  __sync_fetch_and_add(&slots->slots[slot_of(value)], 1);
}

static __always_inline void count_size(u32 function, u64 bytes) {
  struct by_size key = {.bytes = bytes, .function = function};
  u64 *count = bpf_map_lookup_elem(&sizes, &key), one = 1;
  if (count) __sync_fetch_and_add(count, 1);
  else if (bpf_map_update_elem(&sizes, &key, &one, BPF_NOEXIST)) {
    count = bpf_map_lookup_elem(&sizes, &key);
    if (count) __sync_fetch_and_add(count, 1);
  }
}

static __noinline void count_stack(struct pt_regs *regs, u32 function, u64 bytes, u64 caller) {
  struct by_stack key = {.caller = caller, .tgid = tgid_of(bpf_get_current_task_btf()), .function = function};
  key.user = bpf_get_stackid(regs, &stack_traces, BPF_F_USER_STACK);
  struct stack_sums *sums = bpf_map_lookup_elem(&stacks, &key);
  if (!sums) {
    static const struct stack_sums none;
    bpf_map_update_elem(&stacks, &key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&stacks, &key);
    if (!sums) {
      tally(LOST_ENTRY);
      return;
    }
  }
  __sync_fetch_and_add(&sums->count, 1);
  __sync_fetch_and_add(&sums->bytes, bytes);
}

/* Whether a call comes out of a counted function whose return is not seen. */
static __noinline int from_wrapper(u64 caller) {
  u32 tgid = tgid_of(bpf_get_current_task_btf());
  struct ranges *ranges = bpf_map_lookup_elem(&wrappers, &tgid);
  if (!ranges) return 0;
  for (u32 k = 0; k < MOST_WRAPPERS; k++) {
    if (!ranges->to[k]) break;
    if (caller > ranges->from[k] && caller <= ranges->to[k]) return 1;
  }
  return 0;
}

static __always_inline struct sums *sums_of(u32 tid, u32 function) {
  struct by_thread key = {.tid = tid, .function = function};
  struct sums *sums = bpf_map_lookup_elem(&calls, &key);
  if (!sums) {
    static const struct sums none;
    bpf_map_update_elem(&calls, &key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&calls, &key);
    if (!sums) tally(LOST_ENTRY);
  }
  return sums;
}

/* Sums of what is asked for stay at their most, where others would begin anew. */
static __always_inline void add_bytes(u64 *sum, u64 bytes) { *sum = *sum + bytes < *sum ? ~0ull : *sum + bytes; }
static __always_inline void take_bytes(u64 *sum, u64 bytes) {
  if (*sum != ~0ull && *sum >= bytes) *sum -= bytes;
}

/* Forget the calls of this thread that cannot be any more: their frames lie below where the stack ends. */
static __always_inline void forget(struct thread *thread, u64 stack) {
  for (u32 k = 0; k < DEEPEST; k++) {
    u32 depth = thread->depth;
    if (!depth || depth > DEEPEST) break;
    if (thread->calls[(depth - 1) & (DEEPEST - 1)].stack >= stack) break;
    thread->depth = depth - 1;
  }
}

/* Whether the newest call at this very place was left (longjmp): not, where it jumped to the one that begins,
 * which then finds the kernel's address in place of a return address. */
static __always_inline int left_without_return(struct thread *thread, u64 stack, u64 caller) {
  u32 depth = thread->depth;
  if (!depth || depth > DEEPEST) return 0;
  struct open_call *newest = &thread->calls[(depth - 1) & (DEEPEST - 1)];
  if (newest->stack != stack) return 0;
  u64 trampoline = trampoline_of(bpf_get_current_task_btf());
  return trampoline ? caller != trampoline : caller == newest->caller;
}

static __always_inline int entered(struct pt_regs *regs) {
  u64 cookie = bpf_get_attach_cookie(regs);
  u32 function = FUNCTION_OF(cookie), returns = RETURN_IS_SEEN(cookie), site = SITE_OF(cookie), zero = 0;
  if (cookie == SELF_TEST) {
    seen_self();
    return 0;
  }
  struct costs *cost = bpf_map_lookup_elem(&costs, &zero);
  u64 each = cost ? returns ? cost->both[site] : cost->entry[site] : 0;
  if (function < OWN_FUNCTIONS) {
    tally(HITS);
    u64 *spent = bpf_map_lookup_elem(&spent_ns, &zero);
    if (spent) *spent += each;
  }
  struct task_struct *task = bpf_get_current_task_btf();
  struct thread *thread = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!thread) {
    tally(LOST_ENTRY);
    return 0;
  }
  u32 number = function & (MOST_FUNCTIONS - 1);
  u32 *known = bpf_map_lookup_elem(&kinds, &number), kind = known ? *known : PLAIN;
  u64 stack = STACK_AT_ENTRY(regs), caller = caller_of(regs), argument = 0, added = 0;
  forget(thread, stack);
  if (left_without_return(thread, stack, caller)) forget(thread, stack + 1);
  int inside = thread->depth > 0;
  if (!inside && kind)
    inside = from_wrapper(caller) || (thread->last_stack == stack && thread->last_caller == caller &&
                                      thread->last_function != function);
  thread->last_stack = stack;
  thread->last_caller = caller;
  thread->last_function = function;

  thread->spent += each;
  struct sums *sums = sums_of(tid_of(task), function);
  if (!sums) return 0;
  sums->count++;
  if (inside) sums->inside++;
  if (kind == SIZE_FIRST) argument = FIRST(regs);
  else if (kind == SIZE_PRODUCT) {
    u64 each_bytes = FIRST(regs), number_of = SECOND(regs);
    argument = each_bytes && number_of > MOST_BYTES / each_bytes ? ~0ull : each_bytes * number_of;
  }
  else if (kind == SIZE_SECOND) argument = SECOND(regs);
  else if (kind == SIZE_THIRD) argument = THIRD(regs);
  else if (kind == MOVES_BY_POINTER) argument = FOURTH(regs);
  else if (kind == FREES && !FIRST(regs)) sums->null++;
  if (ALLOCATES(kind)) {
    if (argument > MOST_BYTES) {
      if (!inside) sums->impossible++;
    } else {
      added = argument;
      add_bytes(&sums->bytes, added);
      if (inside) add_bytes(&sums->inside_bytes, added);
      add_slot(&asked, function, added);
      if (!inside) count_size(function, added);
    }
  }
  if (with_stacks && !inside && function < OWN_FUNCTIONS) count_stack(regs, function, added, caller);
  if (returns) {
    u32 depth = thread->depth;
    if (depth < DEEPEST) { /* deeper ones are counted, without their time */
      struct open_call *call = &thread->calls[depth & (DEEPEST - 1)];
      call->stack = stack;
      call->caller = caller;
      call->argument = argument;
      call->added = added;
      call->inside = inside;
      call->function = function;
      call->site = site;
      call->spent = thread->spent;
      thread->depth = depth + 1;
      call->began = bpf_ktime_get_ns();
    }
  }
  return 0;
}

static __always_inline int left(struct pt_regs *regs) {
  u64 now = bpf_ktime_get_ns();
  u32 function = FUNCTION_OF(bpf_get_attach_cookie(regs)), zero = 0;
  struct task_struct *task = bpf_get_current_task_btf();
  struct thread *thread = bpf_task_storage_get(&threads, task, 0, 0);
  if (!thread) return 0;
  u64 stack = STACK_AT_RETURN(regs);
  forget(thread, stack);
  struct open_call *call = 0;
  u32 depth = thread->depth;
  for (u32 k = 0; k < DEEPEST; k++) { /* several are at one place where one jumped to the next */
    if (!depth || depth > DEEPEST) return 0;
    depth--;
    call = &thread->calls[depth & (DEEPEST - 1)];
    if (call->stack != stack) return 0;
    if (call->function == function) break;
  }
  if (!call || call->function != function) return 0;
  thread->depth = depth;
  u64 wall = now - call->began, ours = thread->spent - call->spent; /* of the probes inside it */
  struct costs *cost = bpf_map_lookup_elem(&costs, &zero);
  if (cost) ours += cost->shown[call->site & (MOST_SITES - 1)];
  wall = wall > ours ? wall - ours : 0;
  struct sums *sums = sums_of(tid_of(task), function);
  if (!sums) return 0;
  sums->ended++;
  sums->total_ns += wall;
  if (wall > sums->max_ns) sums->max_ns = wall;
  u32 number = function & (MOST_FUNCTIONS - 1);
  u32 *known = bpf_map_lookup_elem(&kinds, &number), kind = known ? *known : PLAIN;
  s64 result = RESULT(regs);
  if (ALLOCATES(kind)) {
    if (kind == SIZE_THIRD ? (s32)result != 0 : !result && call->argument) {
      sums->failed++;
      take_bytes(&sums->bytes, call->added);
      if (call->inside) take_bytes(&sums->inside_bytes, call->added);
    }
  } else if (kind == MOVES) {
    if ((s32)result > 0) sums->bytes += (s32)result;
    else sums->failed++;
  } else if (kind == MOVES_BY_POINTER) {
    u64 bytes = 0;
    if ((s32)result == 1 && !bpf_probe_read_user(&bytes, sizeof bytes, (void *)call->argument)) sums->bytes += bytes;
    else sums->failed++;
  }
  add_slot(&took, function, wall);
  return 0;
}

/* One program for a link to many functions, one for a probe of its own: which fits is tried. */
SEC("uprobe.multi") int enter_multi(struct pt_regs *regs) { return entered(regs); }
SEC("uprobe") int enter(struct pt_regs *regs) { return entered(regs); }
SEC("uprobe.multi") int leave_multi(struct pt_regs *regs) { return left(regs); }
SEC("uprobe") int leave(struct pt_regs *regs) { return left(regs); }

/* The calls that have not returned, at the end of the look: outermost first for each thread. */
struct inside_call {
  u64 began;
  u32 tid, tgid, function, depth;
};
SEC("iter/task") int inside(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  if (!task) return 0;
  struct thread *thread = bpf_task_storage_get(&threads, task, 0, 0);
  if (!thread) return 0;
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  u64 stack = STACK_AT_ENTRY(regs);
  for (u32 k = 0; k < DEEPEST; k++) {
    if (k >= thread->depth) break;
    struct open_call *call = &thread->calls[k];
    if (call->stack < stack) break; /* it was left without a return */
    struct inside_call row = {.began = call->began, .tid = tid_of(task), .tgid = tgid_of(task),
                              .function = call->function, .depth = k};
    bpf_seq_write(context->meta->seq, &row, sizeof row);
  }
  return 0;
}
struct inside_call *inside_row __attribute__((unused));
