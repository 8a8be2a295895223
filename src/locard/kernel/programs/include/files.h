/* What a descriptor is, told in the kernel while it is open: a path from the root down, or a socket's ends. */
#ifndef LOCARD_FILES_H
#define LOCARD_FILES_H

#include "kernel.h"

#define MOST_PATH 1024
#define MOST_NAME 256
#define MOST_LEVELS 24

#define KIND_MASK 0170000
#define KIND_SOCKET 0140000
#define KIND_PIPE 0010000
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

/* The names from the file up to the root, each ended by 0, innermost first: the reader turns them round.
 * `cut`: there were more levels or characters than fit. */
struct file_names {
  u32 size;
  u32 cut;
  char text[MOST_PATH];
};

/* Both ends of a socket; ports in host order, addresses as they travel; v4 in the first four bytes. */
struct ends {
  u16 family, protocol, local_port, far_port;
  u8 local[16], far[16];
};

static __always_inline struct file *file_of(struct task_struct *task, u32 fd) {
  struct fdtable *table = BPF_CORE_READ(task, files, fdt);
  struct file **files = BPF_CORE_READ(table, fd), *file = 0;
  if (fd < BPF_CORE_READ(table, max_fds)) bpf_probe_read_kernel(&file, sizeof file, files + fd);
  return file;
}

static __always_inline struct mount *mount_of(struct vfsmount *mnt) {
  return (struct mount *)((char *)mnt - bpf_core_field_offset(struct mount, mnt));
}

static __always_inline void read_names(struct path *path, struct file_names *names) {
  struct dentry *at = BPF_CORE_READ(path, dentry);
  struct mount *mount = mount_of(BPF_CORE_READ(path, mnt));
  names->size = 0;
  names->cut = 1;
  for (int level = 0; level < MOST_LEVELS; level++) {
    struct dentry *parent = BPF_CORE_READ(at, d_parent);
    struct dentry *root = BPF_CORE_READ(mount, mnt.mnt_root);
    if (at == root || at == parent) {
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
}

static __always_inline void read_ends(struct sock *sk, struct ends *ends) {
  memset(ends, 0, sizeof *ends);
  ends->family = BPF_CORE_READ(sk, __sk_common.skc_family);
  ends->protocol = BPF_CORE_READ(sk, sk_protocol);
  if (ends->family != AF_INET && ends->family != AF_INET6) return;
  ends->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
  ends->far_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
  if (ends->family == AF_INET) {
    BPF_CORE_READ_INTO((u32 *)ends->local, sk, __sk_common.skc_rcv_saddr);
    BPF_CORE_READ_INTO((u32 *)ends->far, sk, __sk_common.skc_daddr);
  } else {
    BPF_CORE_READ_INTO((struct in6_addr *)ends->local, sk, __sk_common.skc_v6_rcv_saddr);
    BPF_CORE_READ_INTO((struct in6_addr *)ends->far, sk, __sk_common.skc_v6_daddr);
  }
}

/* The socket behind a file; NULL where it is none. */
static __always_inline struct sock *sock_of(struct file *file) {
  u16 mode = BPF_CORE_READ(file, f_inode, i_mode);
  if ((mode & KIND_MASK) != KIND_SOCKET) return 0;
  struct socket *socket = BPF_CORE_READ(file, private_data);
  return BPF_CORE_READ(socket, sk);
}

#endif
