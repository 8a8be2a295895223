/* What each thread does, looked at many times a second: but for the end of a thread nothing is hooked.
 *
 * One pass of the iterator looks at every thread of a process. A thread that has not run since the last pass is
 * one comparison; a change ends a stretch of passes in which it did one thing, and the stretch is the event. */
#include "include/files.h"

#define FRAMES 8
#define RUNNING 0
#define NO_CALL (-1)
#define OF_THE_KERNEL 0x4010 /* PF_IO_WORKER, PF_USER_WORKER */
#define TELL_ALL 1
#define TELL_FUTEXES 2
#if defined(__TARGET_ARCH_x86)
#define FUTEX 202
#else
#define FUTEX 98
#endif

/* The number of the pass, set before each; `flush`: tell the stretches that go on, all (1) or those in a futex
 * (2). `now_ns`: when it was, by
 * the scheduler's clock. */
struct pass {
  u32 number, flush;
  u64 now_ns;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct pass);
} passes SEC(".maps");

/* What a thread did from pass `first` to pass `last`. `asleep_ns`: since when by the scheduler's clock,
 * `ended_ns`: when it ran again, where that is known; else 0. */
struct stretch {
  u64 switches; /* what each look reads stands together */
  u32 tid, state, on_cpu, last, first, tgid, inner_tid, frames;
  u64 asleep_ns, ended_ns, args[6];
  s64 call;
  struct ends ends; /* of the socket that the call is on: it may be closed when we are told of it */
  u64 stack[FRAMES];
  char comm[COMM];
};
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct stretch);
} threads SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4 << 20);
} stretches SEC(".maps");
struct stretch *stretches_event __attribute__((unused));

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sched_entity___slice {
  u64 sum_exec_runtime, prev_sum_exec_runtime;
};
struct task_struct___cpu {
  int on_cpu;
  struct sched_entity___slice se;
};
struct task_struct___old {
  long state; /* before 5.14 */
};
#pragma clang attribute pop

static __always_inline void tell(struct stretch *stretch) {
  struct stretch *event = bpf_ringbuf_reserve(&stretches, sizeof *event, 0);
  if (!event) {
    tally(LOST_EVENT);
    return;
  }
  memcpy(event, stretch, sizeof *event);
  bpf_ringbuf_submit(event, 0);
}

/* When it went to sleep: when it got its CPU last, and for how long it then ran. */
static __always_inline u64 asleep_since(struct task_struct *task) {
  struct task_struct___cpu *timed = (void *)task;
  if (!bpf_core_field_exists(task->sched_info.last_arrival)) return 0;
  return BPF_CORE_READ(task, sched_info.last_arrival) + BPF_CORE_READ(timed, se.sum_exec_runtime) -
         BPF_CORE_READ(timed, se.prev_sum_exec_runtime);
}

#define NUMBERS 512
const volatile u8 takes[NUMBERS]; /* calls whose first argument is a descriptor */

/* The scheduler's clock now: it has just put us on our CPU. */
static __always_inline u64 scheduler_now(void) {
  struct task_struct *me = bpf_get_current_task_btf();
  if (!bpf_core_field_exists(me->sched_info.last_arrival)) return 0;
  return BPF_CORE_READ(me, sched_info.last_arrival);
}

static __always_inline void begin(struct stretch *stretch, struct task_struct *task, u32 pass, u32 state, u32 on_cpu) {
  stretch->first = pass;
  stretch->state = state;
  stretch->on_cpu = on_cpu;
  stretch->tid = tid_of(task);
  stretch->tgid = tgid_of(task);
  struct pid *pid = BPF_CORE_READ(task, thread_pid);
  u32 level = BPF_CORE_READ(pid, level);
  struct upid numbers;
  bpf_probe_read_kernel(&numbers, sizeof numbers, &pid->numbers[level < 32 ? level : 0]);
  stretch->inner_tid = numbers.nr;
  bpf_probe_read_kernel_str(stretch->comm, COMM, task->comm);
  stretch->call = NO_CALL;
  stretch->frames = 0;
  stretch->ends.family = 0;
  stretch->asleep_ns = stretch->ended_ns = 0;
  if (state == RUNNING) return;
  stretch->asleep_ns = asleep_since(task);
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  /* Threads of the kernel are in no call, nor are the workers of an io_uring. */
  if (regs && BPF_CORE_READ(task, mm) && !(BPF_CORE_READ(task, flags) & OF_THE_KERNEL)) {
#if defined(__TARGET_ARCH_x86)
    stretch->call = (s64)BPF_CORE_READ(regs, orig_ax);
    stretch->args[0] = BPF_CORE_READ(regs, di);
    stretch->args[1] = BPF_CORE_READ(regs, si);
    stretch->args[2] = BPF_CORE_READ(regs, dx);
    stretch->args[3] = BPF_CORE_READ(regs, r10);
    stretch->args[4] = BPF_CORE_READ(regs, r8);
    stretch->args[5] = BPF_CORE_READ(regs, r9);
#else
    stretch->call = BPF_CORE_READ(regs, syscallno);
    stretch->args[0] = BPF_CORE_READ(regs, orig_x0);
    for (int k = 1; k < 6; k++) stretch->args[k] = BPF_CORE_READ(regs, regs[k]);
#endif
  }
  if (stretch->call >= 0 && takes[stretch->call & (NUMBERS - 1)]) {
    struct file *file = file_of(task, stretch->args[0]);
    struct sock *sk = file ? sock_of(file) : 0;
    if (sk) read_ends(sk, &stretch->ends);
  }
  long size = bpf_get_task_stack(task, stretch->stack, sizeof stretch->stack, 0);
  stretch->frames = size > 0 ? size / 8 : 0;
}

static __always_inline void look_at(struct task_struct *task, struct pass *pass) {
  struct stretch *stretch = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!stretch) {
    tally(LOST_ENTRY);
    return;
  }
  struct task_struct___old *old = (void *)task;
  u32 state = bpf_core_field_exists(task->__state) ? task->__state : BPF_CORE_READ(old, state);
  struct task_struct___cpu *timed = (void *)task;
  u32 on_cpu = 0;
  if (state == RUNNING && bpf_core_field_exists(timed->on_cpu)) on_cpu = BPF_CORE_READ(timed, on_cpu);
  u64 switches = task->nvcsw + task->nivcsw;
  int same = stretch->tid && stretch->state == state && stretch->on_cpu == on_cpu &&
             (state == RUNNING || stretch->switches == switches);
  if (same) {
    stretch->switches = switches;
    stretch->last = pass->number;
  } else {
    if (stretch->tid) {
      /* It has run once since then: it got its CPU when the wait ended. */
      if (stretch->asleep_ns && switches - stretch->switches <= 1)
        stretch->ended_ns = BPF_CORE_READ(task, sched_info.last_arrival);
      tell(stretch);
    }
    begin(stretch, task, pass->number, state, on_cpu);
    stretch->switches = switches;
    stretch->last = pass->number;
  }
  if (pass->flush == TELL_ALL || (pass->flush == TELL_FUTEXES && stretch->call == FUTEX)) tell(stretch);
}

static __always_inline struct pass *this_pass(void) {
  u32 zero = 0;
  return bpf_map_lookup_elem(&passes, &zero);
}

/* Kernels from 6.7 on: one call goes over the threads of a process, several times quicker than an iterator
 * that is read. `asked`: the process. */
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
extern struct task_struct *bpf_task_from_vpid(s32 pid) __ksym __weak; /* as who calls counts; from 6.14 on */
extern void bpf_task_release(struct task_struct *task) __ksym __weak;
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym __weak;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym __weak;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
#define THREADS_OF_IT 2 /* BPF_TASK_ITER_PROC_THREADS */

struct asked {
  s32 pid;
};
SEC("syscall") int look_once(struct asked *asked) {
  struct pass *pass = this_pass();
  struct task_struct *process = observer_space ? bpf_task_from_vpid(asked->pid) : bpf_task_from_pid(asked->pid);
  if (!process) return 0;
  if (pass) {
    pass->now_ns = scheduler_now();
    struct bpf_iter_task threads_of_it;
    struct task_struct *task;
    bpf_rcu_read_lock();
    bpf_iter_task_new(&threads_of_it, process, THREADS_OF_IT);
    while ((task = bpf_iter_task_next(&threads_of_it))) look_at(task, pass);
    bpf_iter_task_destroy(&threads_of_it);
    bpf_rcu_read_unlock();
  }
  bpf_task_release(process);
  return 0;
}

/* What a thread did last, when it ends between two looks. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(gone, struct task_struct *task) {
  struct stretch *stretch = bpf_task_storage_get(&threads, task, 0, 0);
  if (stretch && stretch->tid) tell(stretch);
  return 0;
}

/* Before that: an iterator over the threads of a process. */
SEC("iter/task") int look(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  u64 first = context->meta->seq_num == 0;
  struct pass *pass = this_pass();
  if (!task || !pass) return 0;
  if (first) pass->now_ns = scheduler_now();
  look_at(task, pass);
  return 0;
}
