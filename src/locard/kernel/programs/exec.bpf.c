/* Programs that the target and its children start or fail to start, and what became of them.
 *
 * Each thread carries the number of the program that it runs, inherited by fork: so whoever starts a program
 * is known when it is gone. 0 is the target as it was when we came. An event tells a number's name once. */
#include "include/target.h"
#include "include/entry.h"
#include "include/folders.h"

#define EXECVE CALL(59, 221)
#define EXECVEAT CALL(322, 281)
#define TASK_DEAD 0x80

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct linux_binprm {
  const char *filename;
};
struct sched_entity___runtime {
  u64 sum_exec_runtime;
};
struct mm_struct___exe {
  struct file *exe_file;
};
struct task_struct___runtime {
  struct sched_entity___runtime se;
  struct mm_struct___exe *mm;
};
#pragma clang attribute pop

struct running {
  u64 program; /* what it runs */
  u64 since, cpu_before; /* when that began, and what it had used until then */
  u32 executed; /* since its fork */
  u32 calling;
  s32 descriptor;
  u32 known;
  const void *name;
  struct folder folder, root;
};

struct by_program {
  u64 by, program;
  s32 error;
  u32 pad;
};
struct starts {
  u64 count;
  u64 last_ns;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192);
  __type(key, struct by_program);
  __type(value, struct starts);
} execs SEC(".maps");

struct by_life {
  u64 program;
  u32 executed; /* 0: a fork that executed nothing */
  u32 pad;
};
struct lives {
  u64 ended, total_ns, max_ns, cpu_ns, failed, killed;
  u64 replaced; /* it started another in its own place: its life ends there */
  u32 slots[SLOTS];
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct by_life);
  __type(value, struct lives);
} lives SEC(".maps");

struct children {
  u64 processes, threads;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2048);
  __type(key, u64);
  __type(value, struct children);
} forks SEC(".maps");

struct first_seen {
  u64 program;
  u32 known;
  s32 descriptor;
  struct asked asked;
  struct file_names folder;
};
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} seen SEC(".maps");
struct first_seen *seen_event __attribute__((unused));

/* Programs whose name has been told. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192);
  __uint(key_size, sizeof(u64));
  __uint(value_size, sizeof(u32));
} told SEC(".maps");

static const struct lives no_lives;

FOLLOW(running)

static __always_inline u64 cpu_of(struct task_struct *task) {
  struct task_struct___runtime *timed = (void *)task;
  return BPF_CORE_READ(timed, se.sum_exec_runtime);
}

static __always_inline struct lives *life_of(struct running *mine) {
  struct by_life key = {.program = mine->program, .executed = mine->executed};
  struct lives *sums = bpf_map_lookup_elem(&lives, &key);
  if (sums) return sums;
  bpf_map_update_elem(&lives, &key, &no_lives, BPF_NOEXIST);
  sums = bpf_map_lookup_elem(&lives, &key);
  if (!sums) tally(LOST_ENTRY);
  return sums;
}

static __always_inline void count_life(struct lives *sums, u64 lived) {
  __sync_fetch_and_add(&sums->total_ns, lived);
  __sync_fetch_and_add(&sums->slots[slot_of(lived)], 1);
  if (lived > sums->max_ns) sums->max_ns = lived;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child) {
  struct running *above = own(parent), *below = own(child);
  if (!above) return 0;
  tally(HITS);
  struct children *sums = bpf_map_lookup_elem(&forks, &above->program);
  if (!sums) {
    struct children none = {};
    bpf_map_update_elem(&forks, &above->program, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&forks, &above->program);
  }
  int process = parent->tgid != child->tgid;
  if (!sums) tally(LOST_ENTRY);
  else if (process) __sync_fetch_and_add(&sums->processes, 1);
  else __sync_fetch_and_add(&sums->threads, 1);
  if (!below) return 0; /* `follow` has counted the loss */
  below->program = above->program;
  below->since = bpf_ktime_get_ns();
  below->cpu_before = 0;
  below->executed = process ? 0 : above->executed;
  return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(begin, struct pt_regs *regs, long number) {
  struct task_struct *task = current();
  struct running *mine = own(task);
  if (!mine) return 0;
  tally(HITS);
  mine->calling = 0;
  if (is_32bit(task)) return 0; /* its failures are not seen; what it starts is */
  if (number == EXECVE) {
    mine->descriptor = AT_FDCWD;
    mine->name = (const void *)ARG0(regs);
  } else if (number == EXECVEAT) {
    mine->descriptor = ARG0(regs);
    mine->name = (const void *)ARG1(regs);
  } else return 0;
  mine->known = take_folder(task, mine->descriptor, &mine->folder);
  take_root(task, &mine->root);
  mine->calling = number;
  return 0;
}

/* The number of a program from its folder and name; its name is told when it is new. */
static __noinline u64 program_of(struct running *mine, struct asked *asked) {
  if (!mine || !asked) return 0;
  u64 number = number_name(asked, asked->size), folder = 0;
  if (asked->name[0] == '/' && asked->size > 1) mine->known = 2;
  else if (mine->known) folder = number_of(&mine->folder, &mine->root) | 1;
  u64 program = mixed(folder, number) | 1;
  u32 one = 1;
  if (bpf_map_update_elem(&told, &program, &one, BPF_NOEXIST)) return program;
  struct first_seen *event = bpf_ringbuf_reserve(&seen, sizeof *event, 0);
  if (!event) {
    bpf_map_delete_elem(&told, &program); /* the next one tells it */
    return program;
  }
  event->program = program;
  event->known = mine->known;
  event->descriptor = mine->descriptor;
  bpf_probe_read_kernel(&event->asked, sizeof event->asked, asked);
  event->folder.size = 0;
  event->folder.cut = 0;
  if (folder) name_folder(&mine->folder, &mine->root, &event->folder);
  bpf_ringbuf_submit(event, 0);
  return program;
}

static __always_inline void count_exec(struct running *mine, u64 program, s32 error) {
  struct by_program key = {.by = mine->program, .program = program, .error = error};
  struct starts *sums = bpf_map_lookup_elem(&execs, &key);
  if (!sums) {
    struct starts none = {};
    bpf_map_update_elem(&execs, &key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&execs, &key);
    if (!sums) {
      tally(LOST_ENTRY);
      return;
    }
  }
  __sync_fetch_and_add(&sums->count, 1);
  sums->last_ns = bpf_ktime_get_ns();
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task, int before, struct linux_binprm *binary) {
  struct running *mine = own(task);
  struct asked *asked = room_for_name();
  if (!mine || !asked) return 0;
  if (!mine->calling) { /* a 32-bit caller */
    mine->known = take_folder(task, AT_FDCWD, &mine->folder);
    take_root(task, &mine->root);
  }
  asked->more = 0;
  long got = bpf_probe_read_kernel_str(asked->name, MOST_ASKED, BPF_CORE_READ(binary, filename));
  asked->size = got > 0 ? got : 0;
  if (mine->calling == EXECVEAT && asked->name[0] == '/' && asked->name[1] == 'd' && asked->name[5] == 'f') {
    struct task_struct___runtime *timed = (void *)task; /* /dev/fd/N: the file's own path */
    struct file *file = BPF_CORE_READ(timed, mm, exe_file);
    take_path(&file->f_path, &mine->folder);
    mine->known = 1;
    asked->name[0] = 0;
    asked->size = 1;
  }
  mine->calling = 0;
  u64 program = program_of(mine, asked);
  count_exec(mine, program, 0);
  u64 cpu = cpu_of(task);
  struct lives *sums = life_of(mine); /* what it used before belongs to what it was */
  u64 now = bpf_ktime_get_ns();
  if (sums && mine->since) {
    if (cpu > mine->cpu_before) __sync_fetch_and_add(&sums->cpu_ns, cpu - mine->cpu_before);
    if (mine->executed) {
      __sync_fetch_and_add(&sums->replaced, 1);
      count_life(sums, now - mine->since);
    }
  }
  mine->program = program;
  mine->cpu_before = cpu;
  mine->since = now;
  mine->executed = 1;
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(end, struct pt_regs *regs, long result) {
  struct task_struct *task = current();
  struct running *mine = own(task);
  if (!mine || !mine->calling) return 0;
  mine->calling = 0;
  struct asked *asked = room_for_name();
  if (!is_error(result) || !asked) return 0;
  take_name(asked, mine->name);
  count_exec(mine, program_of(mine, asked), -result);
  return 0;
}

/* A thread leaves its CPU for the last time: what it used is final here, and not before. */
SEC("tp_btf/sched_switch")
int BPF_PROG(left, int preempted, struct task_struct *previous, struct task_struct *next) {
  if (!(previous->__state & TASK_DEAD)) return 0;
  struct running *mine = own(previous);
  if (!mine || !mine->since) return 0; /* not ours, or it ran before we came */
  struct lives *sums = life_of(mine);
  if (!sums) return 0;
  u64 cpu = cpu_of(previous);
  if (cpu > mine->cpu_before) __sync_fetch_and_add(&sums->cpu_ns, cpu - mine->cpu_before);
  if (previous->pid != previous->tgid) return 0;
  u64 lived = bpf_ktime_get_ns() - mine->since;
  u32 code = previous->exit_code;
  __sync_fetch_and_add(&sums->ended, 1);
  count_life(sums, lived);
  if (code & 0x7f) __sync_fetch_and_add(&sums->killed, 1);
  else if (code) __sync_fetch_and_add(&sums->failed, 1);
  return 0;
}
