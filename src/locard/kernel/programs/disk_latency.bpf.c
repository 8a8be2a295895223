/* Requests to disks: by device, operation, who sent them and for which cgroup; how long each was queued in
 * the kernel, and how long the device took from being handed it to its answer.
 *
 * Not only the target's: what the page cache writes later is sent by kworker threads and journals. Who sends
 * is the thread that makes the request where the kernel tells that, else the one that queues or issues it.
 * A limit of a cgroup holds the data back before there is a request: it is in neither of the two times. */
#include "include/target.h"
#include "include/files.h"

#define CGROUP_LEVELS 12
#define OPERATION 0xff

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kernfs_node {
  const char *name;
  struct kernfs_node *__parent;
  u64 id;
};
struct kernfs_node___before {
  struct kernfs_node *parent;
};
struct cgroup {
  struct kernfs_node *kn;
};
struct cgroup_subsys_state {
  struct cgroup *cgroup;
};
struct blkcg {
  struct cgroup_subsys_state css;
};
struct blkcg_gq {
  struct blkcg *blkcg;
};
struct bio {
  struct blkcg_gq *bi_blkg;
};
struct gendisk {
  int major, first_minor;
};
struct request_queue {
  struct gendisk *disk;
};
struct request {
  struct request_queue *q;
  u32 cmd_flags, __data_len;
  struct bio *bio;
};
#pragma clang attribute pop

/* A task that belongs to the target has one; nothing else is kept of it. */
struct mine {
  u32 unused;
};
FOLLOW(mine)

struct sender {
  u32 tgid, ours;
  char comm[COMM];
};
struct started {
  u64 made_ns, issued_ns, cgroup;
  u32 device, operation, bytes, pad;
  struct sender sender;
};
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH); /* a request that is merged into another never ends */
  __uint(max_entries, 16384);
  __type(key, u64);
  __type(value, struct started);
} outstanding SEC(".maps");

struct by_sender {
  u64 cgroup;
  u32 device, operation;
  s32 error;
  u32 pad;
  struct sender sender;
};
struct requests {
  u64 count, bytes, total_ns, max_ns, queued_ns, max_queued_ns;
  u32 slots[SLOTS];
  u32 queued[SLOTS];
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct by_sender);
  __type(value, struct requests);
} requests SEC(".maps");

/* A cgroup that is seen first, with its path in its hierarchy. */
struct named_cgroup {
  u64 id;
  struct file_names path;
};
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 17);
} cgroups SEC(".maps");
struct named_cgroup *cgroups_event __attribute__((unused));
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2048);
  __uint(key_size, sizeof(u64));
  __uint(value_size, sizeof(u32));
} told SEC(".maps");

static const struct requests none;

static __always_inline struct kernfs_node *above(struct kernfs_node *node) {
  if (bpf_core_field_exists(node->__parent)) return BPF_CORE_READ(node, __parent);
  struct kernfs_node___before *before = (void *)node; /* until 6.14 */
  return BPF_CORE_READ(before, parent);
}

static __noinline int tell_cgroup(struct kernfs_node *node, u64 id) {
  u32 one = 1;
  if (bpf_map_update_elem(&told, &id, &one, BPF_NOEXIST)) return 0;
  struct named_cgroup *event = bpf_ringbuf_reserve(&cgroups, sizeof *event, 0);
  if (!event) {
    bpf_map_delete_elem(&told, &id);
    return 0;
  }
  event->id = id;
  event->path.size = 0;
  event->path.cut = 1;
  for (int level = 0; level < CGROUP_LEVELS; level++) {
    struct kernfs_node *parent = above(node);
    u32 size = event->path.size;
    if (!parent) {
      event->path.cut = 0;
      break;
    }
    if (size > MOST_PATH - MOST_NAME) break;
    long got = bpf_probe_read_kernel_str(event->path.text + size, MOST_NAME, BPF_CORE_READ(node, name));
    if (got <= 0) break;
    event->path.size = size + got;
    node = parent;
  }
  bpf_ringbuf_submit(event, 0);
  return 0;
}

static __always_inline u64 cgroup_of(struct request *request) {
  struct bio *bio = BPF_CORE_READ(request, bio);
  if (!bio || !bpf_core_field_exists(bio->bi_blkg)) return 0;
  struct kernfs_node *node = BPF_CORE_READ(bio, bi_blkg, blkcg, css.cgroup, kn);
  if (!node || !above(node)) return 0; /* the root */
  u64 id = BPF_CORE_READ(node, id);
  tell_cgroup(node, id);
  return id;
}

static __always_inline struct started *made(struct request *request, u64 now) {
  u64 key = (u64)request;
  struct started new = {.made_ns = now};
  struct gendisk *disk = BPF_CORE_READ(request, q, disk);
  new.device = BPF_CORE_READ(disk, major) << 20 | BPF_CORE_READ(disk, first_minor);
  new.operation = BPF_CORE_READ(request, cmd_flags) & OPERATION;
  new.cgroup = cgroup_of(request);
  struct task_struct *task = current();
  new.sender.tgid = tgid_of(task);
  new.sender.ours = own(task) != 0;
  bpf_probe_read_kernel(new.sender.comm, COMM, task->comm);
  if (bpf_map_update_elem(&outstanding, &key, &new, BPF_ANY)) tally(LOST_ENTRY);
  return bpf_map_lookup_elem(&outstanding, &key);
}

SEC("tp_btf/block_io_start")
int BPF_PROG(accounted, struct request *request) {
  made(request, bpf_ktime_get_ns());
  return 0;
}

SEC("tp_btf/block_rq_insert")
int BPF_PROG(inserted, struct request *request) {
  u64 key = (u64)request;
  if (!bpf_map_lookup_elem(&outstanding, &key)) made(request, bpf_ktime_get_ns());
  return 0;
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(issued, struct request *request) {
  u64 key = (u64)request, now = bpf_ktime_get_ns();
  struct started *start = bpf_map_lookup_elem(&outstanding, &key);
  if (!start) start = made(request, now);
  if (!start) return 0;
  if (!start->issued_ns) start->issued_ns = now; /* handed over again: it counts from the first time */
  start->bytes = BPF_CORE_READ(request, __data_len);
  return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(completed, struct request *request, u8 status, unsigned int bytes) {
  u64 id = (u64)request, now = bpf_ktime_get_ns();
  struct started *start = bpf_map_lookup_elem(&outstanding, &id);
  if (!start || bytes < BPF_CORE_READ(request, __data_len)) return 0; /* a part of it */
  if (!start->issued_ns) { /* it was issued before we looked */
    bpf_map_delete_elem(&outstanding, &id);
    return 0;
  }
  tally(HITS);
  struct by_sender key = {.device = start->device, .operation = start->operation, .error = status,
                          .cgroup = start->cgroup, .sender = start->sender};
  u64 took = now - start->issued_ns, queued = start->issued_ns - start->made_ns, size = start->bytes;
  bpf_map_delete_elem(&outstanding, &id);
  struct requests *sums = bpf_map_lookup_elem(&requests, &key);
  if (!sums) {
    bpf_map_update_elem(&requests, &key, &none, BPF_NOEXIST);
    sums = bpf_map_lookup_elem(&requests, &key);
    if (!sums) {
      tally(LOST_ENTRY);
      return 0;
    }
  }
  __sync_fetch_and_add(&sums->count, 1);
  __sync_fetch_and_add(&sums->bytes, size);
  __sync_fetch_and_add(&sums->total_ns, took);
  __sync_fetch_and_add(&sums->queued_ns, queued);
  __sync_fetch_and_add(&sums->slots[slot_of(took)], 1);
  __sync_fetch_and_add(&sums->queued[slot_of(queued)], 1);
  if (took > sums->max_ns) sums->max_ns = took;
  if (queued > sums->max_queued_ns) sums->max_queued_ns = queued;
  return 0;
}
