/* Names that a program asks for: the folder in which they are looked up, taken at the time of the call, and
 * the text that was given. A folder is told apart by a number made of the entries from it up to the root. */
#ifndef LOCARD_FOLDERS_H
#define LOCARD_FOLDERS_H

#include "files.h"

#define AT_FDCWD (-100)
#define MOST_ASKED 512 /* characters of a name that are kept */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct qstr___hashed {
  u32 hash, len;
};
struct dentry___hashed {
  struct dentry *d_parent;
  struct qstr___hashed d_name;
};
#pragma clang attribute pop

/* Where a name is looked up. */
struct folder {
  struct dentry *dentry;
  struct vfsmount *mnt;
};

static __always_inline u64 mixed(u64 sum, u64 more) {
  sum ^= more;
  sum *= 0x9E3779B97F4A7C15ull;
  return sum ^ (sum >> 29);
}

static __always_inline int is_root(struct dentry *at, struct mount *mount, struct folder *root) {
  return at == root->dentry && mount == mount_of(root->mnt);
}

/* Functions that are not static are verified once, by themselves: loops that end early would else be followed
 * through all that comes behind them. */
__noinline u64 number_of(struct folder *folder, struct folder *root) {
  if (!folder || !root) return 0;
  struct dentry *at = folder->dentry;
  struct mount *mount = mount_of(folder->mnt);
  u64 sum = 0;
  for (int level = 0; level < MOST_LEVELS; level++) {
    if (is_root(at, mount, root)) break;
    struct dentry *parent = BPF_CORE_READ(at, d_parent);
    struct dentry *top = BPF_CORE_READ(mount, mnt.mnt_root);
    sum = mixed(sum, (u64)at);
    if (at == top || at == parent) {
      struct mount *above = BPF_CORE_READ(mount, mnt_parent);
      if (above == mount) break;
      at = BPF_CORE_READ(mount, mnt_mountpoint);
      mount = above;
      continue;
    }
    struct dentry___hashed *hashed = (void *)at;
    sum = mixed(sum, BPF_CORE_READ(hashed, d_name.hash)); /* a renamed folder is another */
    at = parent;
  }
  return sum;
}

/* The folder's names up to the root that the task sees (chroot included). */
__noinline int name_folder(struct folder *folder, struct folder *root, struct file_names *names) {
  if (!folder || !root || !names) return 0;
  struct dentry *at = folder->dentry;
  struct mount *mount = mount_of(folder->mnt);
  names->size = 0;
  names->cut = 1;
  for (int level = 0; level < MOST_LEVELS; level++) {
    if (is_root(at, mount, root)) {
      names->cut = 0;
      break;
    }
    struct dentry *parent = BPF_CORE_READ(at, d_parent);
    struct dentry *top = BPF_CORE_READ(mount, mnt.mnt_root);
    if (at == top || at == parent) {
      struct mount *above = BPF_CORE_READ(mount, mnt_parent);
      if (above == mount) {
        names->cut = 0;
        break;
      }
      at = BPF_CORE_READ(mount, mnt_mountpoint);
      mount = above;
      continue;
    }
    u32 size = names->size;
    if (size > MOST_PATH - MOST_NAME) break;
    long got = bpf_probe_read_kernel_str(names->text + size, MOST_NAME, BPF_CORE_READ(at, d_name.name));
    if (got <= 0) break;
    names->size = size + got;
    at = parent;
  }
  return 0;
}

static __always_inline void take_path(struct path *path, struct folder *folder) {
  folder->dentry = BPF_CORE_READ(path, dentry);
  folder->mnt = BPF_CORE_READ(path, mnt);
}

/* The folder of a call with a descriptor for it (AT_FDCWD: the working folder); 0 where it is not open. */
static __always_inline int take_folder(struct task_struct *task, int descriptor, struct folder *folder) {
  if (descriptor == AT_FDCWD) {
    take_path(&task->fs->pwd, folder);
    return 1;
  }
  struct file *file = descriptor < 0 ? 0 : file_of(task, descriptor);
  if (!file) return 0;
  take_path(&file->f_path, folder);
  return 1;
}

static __always_inline void take_root(struct task_struct *task, struct folder *root) {
  take_path(&task->fs->root, root);
}

/* A name as it was given, and a number for it. `size` counts the 0 at its end; 0: it could not be read. */
struct asked {
  u32 size, more; /* more: it is longer than what is kept */
  char name[MOST_ASKED];
};

__noinline u64 number_name(struct asked *asked, long got) {
  if (!asked) return 0;
  asked->size = got > 0 ? got : 0;
  if (got <= 0) return 0;
  u64 sum = got;
  u64 *words = (u64 *)asked->name;
  for (u32 k = 0; k < MOST_ASKED / 8; k++) {
    if (k * 8 >= got) break;
    u64 word = words[k];
    u32 left = got - k * 8;
    if (left < 8) word &= (1ull << (left * 8)) - 1;
    sum = mixed(sum, word);
  }
  return sum;
}

static __always_inline u64 take_name(struct asked *asked, const void *user) {
  long got = bpf_probe_read_user_str(asked->name, MOST_ASKED, user);
  asked->more = 0;
  if (got == MOST_ASKED) {
    char last = 0;
    bpf_probe_read_user(&last, 1, (const char *)user + MOST_ASKED - 1);
    asked->more = last != 0;
  }
  return number_name(asked, got);
}

/* Where a name is read; a program does not leave its CPU meanwhile. Sizes alone: it is no result. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(u32));
  __uint(value_size, sizeof(struct asked));
} scratch SEC(".maps");

static __always_inline struct asked *room_for_name(void) {
  u32 zero = 0;
  return bpf_map_lookup_elem(&scratch, &zero);
}

#endif
