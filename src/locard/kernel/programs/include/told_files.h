/* Files by inode, told by name when they are seen first: `files` is the ring of the names. */
#ifndef LOCARD_TOLD_FILES_H
#define LOCARD_TOLD_FILES_H

#include "files.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inode___generation {
  u32 i_generation;
};
#pragma clang attribute pop

#define KIND_FILE 0100000
#define KIND_BLOCK 0060000
#define KIND_CHARACTER 0020000

/* A number is used again for the next file: the generation tells them apart. */
struct file_key {
  u64 file;
  u32 device, generation;
};

struct named_file {
  struct file_key key;
  u32 mode, magic;
  struct ends ends;
  struct file_names path;
};
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} files SEC(".maps");
struct named_file *files_event __attribute__((unused));

/* Those whose names were told; sizes alone: it is no result. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(key_size, sizeof(struct file_key));
  __uint(value_size, sizeof(u32));
} told_files SEC(".maps");

static __always_inline u32 key_of(struct file *file, struct file_key *key) {
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  struct inode___generation *aged = (void *)inode;
  key->file = BPF_CORE_READ(inode, i_ino);
  key->device = BPF_CORE_READ(inode, i_sb, s_dev);
  key->generation = BPF_CORE_READ(aged, i_generation);
  return BPF_CORE_READ(inode, i_mode) & KIND_MASK;
}

/* Not static, so that the verifier goes through it once and not for each way on which it is reached. */
__noinline int tell_file(u64 at, struct file_key *key) {
  struct file *file = (struct file *)at;
  if (!file || !key) return 0;
  u32 one = 1;
  if (bpf_map_update_elem(&told_files, key, &one, BPF_NOEXIST)) return 0;
  struct named_file *event = bpf_ringbuf_reserve(&files, sizeof *event, 0);
  if (!event) {
    bpf_map_delete_elem(&told_files, key); /* the next one tells it */
    return 0;
  }
  event->key = *key;
  event->mode = BPF_CORE_READ(file, f_inode, i_mode);
  event->magic = BPF_CORE_READ(file, f_inode, i_sb, s_magic);
  struct sock *sk = sock_of(file);
  event->path.size = 0;
  event->path.cut = 0;
  if (sk) read_ends(sk, &event->ends);
  else {
    memset(&event->ends, 0, sizeof event->ends);
    read_names(&file->f_path, &event->path);
  }
  bpf_ringbuf_submit(event, 0);
  return 0;
}

#endif
