/* Whose events count: threads of the target carry a state of the program's own in task storage; all others
 * cost one look-up that finds nothing. `mark` gives it to the threads that run when the program begins,
 * `follow` to new threads, and to children where they are followed.
 *
 *   struct state { ... };          what the program keeps of a thread
 *   FOLLOW(state)                  then: struct state *mine = own(current) in each program, NULL: not ours
 *   FOLLOW_FROM(state, first)      the same, and first(task, mine) for each thread that runs at the beginning */
#ifndef LOCARD_TARGET_H
#define LOCARD_TARGET_H

#include "kernel.h"

const volatile u32 follow_children = 1;

#define begin_with_nothing(task, mine) (void)(mine)

#define FOLLOW(STATE) FOLLOW_FROM(STATE, begin_with_nothing)

#define FOLLOW_FROM(STATE, FIRST)                                                                           \
  struct {                                                                                        \
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);                                                      \
    __uint(map_flags, BPF_F_NO_PREALLOC);                                                         \
    __type(key, int);                                                                             \
    __type(value, struct STATE);                                                                  \
  } threads SEC(".maps");                                                                         \
                                                                                                  \
  static __always_inline struct STATE *own(struct task_struct *task) {                            \
    return bpf_task_storage_get(&threads, task, 0, 0);                                            \
  }                                                                                               \
                                                                                                  \
  SEC("iter/task") int mark(struct bpf_iter__task *context) {                                     \
    struct task_struct *task = context->task;                                                     \
    if (!task) return 0;                                                                          \
    struct STATE *mine = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);  \
    if (mine) FIRST(task, mine);                                                                  \
    return 0;                                                                                     \
  }                                                                                               \
                                                                                                  \
  SEC("tp_btf/sched_process_fork")                                                                \
  int BPF_PROG(follow, struct task_struct *parent, struct task_struct *child) {                   \
    if (!bpf_task_storage_get(&threads, parent, 0, 0)) return 0;                                  \
    if (!follow_children && parent->tgid != child->tgid) return 0;                                \
    if (!bpf_task_storage_get(&threads, child, 0, BPF_LOCAL_STORAGE_GET_F_CREATE))                \
      tally(LOST_ENTRY);                                                                     \
    return 0;                                                                                     \
  }

static __always_inline struct task_struct *current(void) { return bpf_get_current_task_btf(); }

#endif
