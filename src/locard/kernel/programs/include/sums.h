/* Latencies summed in one entry that several CPUs add to at once, exact: for what is not hot. Where it is,
 * a per-CPU map costs less to write and, on a host with many CPUs, far more to read. */
#ifndef LOCARD_SUMS_H
#define LOCARD_SUMS_H

#include "kernel.h"

#define TURNS 16 /* of a compare and swap that another CPU has spoiled */

struct times {
  u64 count, total_ns, max_ns, min_ns;
  u32 slots[SLOTS];
};
#define NO_TIMES {.min_ns = ~0ull}

static __always_inline void raise(u64 *at, u64 value) {
  for (int k = 0; k < TURNS; k++) {
    u64 old = *(volatile u64 *)at;
    if (value <= old || __sync_val_compare_and_swap(at, old, value) == old) return;
  }
}

static __always_inline void lower(u64 *at, u64 value) {
  for (int k = 0; k < TURNS; k++) {
    u64 old = *(volatile u64 *)at;
    if (value >= old || __sync_val_compare_and_swap(at, old, value) == old) return;
  }
}

static __always_inline void add_time(struct times *times, u64 took) {
  __sync_fetch_and_add(&times->count, 1);
  __sync_fetch_and_add(&times->total_ns, took);
  __sync_fetch_and_add(&times->slots[slot_of(took)], 1);
  raise(&times->max_ns, took);
  lower(&times->min_ns, took);
}

/* The entry of a key, made of `none` where there is none yet; NULL where the map is full. */
static __always_inline void *entry_of(void *map, const void *key, const void *none) {
  void *found = bpf_map_lookup_elem(map, key);
  if (found) return found;
  bpf_map_update_elem(map, key, none, BPF_NOEXIST);
  found = bpf_map_lookup_elem(map, key);
  if (!found) tally(LOST_ENTRY);
  return found;
}

#endif
