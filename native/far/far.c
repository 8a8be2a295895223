/* See far.h. */
#include "far.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_SAID (64 << 10)
#define EVERY_CPU (-1)
#define MOST_EVENT (64 << 10)

struct far {
  struct bpf_object *object;
  struct bpf_link **links;
  size_t count;
};

static char said[MOST_SAID];
static size_t said_size;

/* Keep what libbpf says; the newest is what explains a failure. */
static int keep_said(enum libbpf_print_level level, const char *format, va_list args) {
  char line[4096];
  int size = vsnprintf(line, sizeof line, format, args);
  if (level == LIBBPF_DEBUG || size <= 0) return 0;
  size_t length = (size_t)size < sizeof line ? (size_t)size : sizeof line - 1;
  if (said_size + length >= MOST_SAID) {
    size_t keep = MOST_SAID / 2 < said_size ? MOST_SAID / 2 : said_size;
    memmove(said, said + said_size - keep, keep);
    said_size = keep;
  }
  memcpy(said + said_size, line, length);
  said_size += length;
  said[said_size] = 0;
  return 0;
}

const char *far_version(void) { return libbpf_version_string(); }

const char *far_said(void) {
  said[said_size] = 0;
  said_size = 0;
  return said;
}

struct far *far_open(const void *object, size_t size) {
  libbpf_set_print(keep_said);
  struct far *far = calloc(1, sizeof *far);
  if (!far) return NULL;
  far->object = bpf_object__open_mem(object, size, NULL);
  if (!far->object) {
    int problem = errno;
    free(far);
    errno = problem;
    return NULL;
  }
  return far;
}

/* A `const volatile` of the object, by name: found in the types of .rodata. */
int far_set(struct far *far, const char *name, const void *value, size_t size) {
  const struct btf *types = bpf_object__btf(far->object);
  struct bpf_map *map;
  bpf_object__for_each_map(map, far->object) {
    const char *section = strchr(bpf_map__name(map), '.');
    size_t room;
    char *data = bpf_map__initial_value(map, &room);
    if (!section || strcmp(section, ".rodata") != 0 || !data || !types) continue;
    int id = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
    if (id < 0) continue;
    const struct btf_type *datasec = btf__type_by_id(types, (uint32_t)id);
    const struct btf_var_secinfo *var = btf_var_secinfos(datasec);
    for (int k = 0; k < btf_vlen(datasec); k++, var++) {
      const struct btf_type *type = btf__type_by_id(types, var->type);
      if (strcmp(btf__name_by_offset(types, type->name_off), name) != 0) continue;
      if (size > var->size || var->offset + size > room) return -E2BIG;
      memcpy(data + var->offset, value, size);
      return 0;
    }
  }
  return -ENOENT;
}

int far_resize(struct far *far, const char *name, uint32_t entries) {
  struct bpf_map *map = bpf_object__find_map_by_name(far->object, name);
  return map ? bpf_map__set_max_entries(map, entries) : -ENOENT;
}

static struct bpf_program *program_of(const struct far *far, const char *name) {
  return bpf_object__find_program_by_name(far->object, name);
}

int far_leave_out(struct far *far, const char *name) {
  struct bpf_program *program = program_of(far, name);
  return program ? bpf_program__set_autoload(program, false) : -ENOENT;
}

int far_load(struct far *far) { return bpf_object__load(far->object); }

/* Keep a link; its number. */
static int keep(struct far *far, struct bpf_link *link) {
  if (!link) return errno ? -errno : -EINVAL;
  struct bpf_link **links = realloc(far->links, (far->count + 1) * sizeof *links);
  if (!links) {
    bpf_link__destroy(link);
    return -ENOMEM;
  }
  far->links = links;
  links[far->count] = link;
  return (int)far->count++;
}

int far_attach(struct far *far, const char *name) {
  struct bpf_program *program = program_of(far, name);
  return program ? keep(far, bpf_program__attach(program)) : -ENOENT;
}

/* One link for all of them where the kernel has it and the program was loaded for it, else one each. */
int far_attach_sites(struct far *far, const char *name, int pid, const char *path, const struct far_site *sites,
                     size_t count, int at_return) {
  struct bpf_program *program = program_of(far, name);
  if (!program) return -ENOENT;
  if (bpf_program__expected_attach_type(program) == BPF_TRACE_UPROBE_MULTI) {
    unsigned long *offsets = calloc(count, sizeof *offsets);
    __u64 *cookies = calloc(count, sizeof *cookies);
    int kept = -ENOMEM;
    if (offsets && cookies) {
      for (size_t k = 0; k < count; k++) {
        offsets[k] = sites[k].offset;
        cookies[k] = sites[k].cookie;
      }
      LIBBPF_OPTS(bpf_uprobe_multi_opts, options, .offsets = offsets, .cookies = cookies, .cnt = count,
                  .retprobe = at_return != 0);
      kept = keep(far, bpf_program__attach_uprobe_multi(program, pid, path, NULL, &options));
    }
    free(offsets);
    free(cookies);
    return kept;
  }
  for (size_t k = 0; k < count; k++) {
    LIBBPF_OPTS(bpf_uprobe_opts, options, .bpf_cookie = sites[k].cookie, .retprobe = at_return != 0);
    int kept = keep(far, bpf_program__attach_uprobe_opts(program, pid, path, sites[k].offset, &options));
    if (kept < 0) return kept;
  }
  return 0;
}

int far_attach_usdt(struct far *far, const char *name, int pid, const char *path, const char *provider,
                    const char *probe, uint64_t cookie) {
  struct bpf_program *program = program_of(far, name);
  if (!program) return -ENOENT;
  LIBBPF_OPTS(bpf_usdt_opts, options, .usdt_cookie = cookie);
  return keep(far, bpf_program__attach_usdt(program, pid, path, provider, probe, &options));
}

/* The CPU clock: of one process on whichever CPU, or of every CPU. */
int far_attach_clock(struct far *far, const char *name, int pid, uint64_t hz) {
  struct bpf_program *program = program_of(far, name);
  if (!program) return -ENOENT;
  int cpus = pid > 0 ? 1 : libbpf_num_possible_cpus();
  int attached = 0;
  for (int cpu = 0; cpu < cpus; cpu++) {
    struct perf_event_attr attr = {.size = sizeof attr, .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_CPU_CLOCK,
                                   .sample_freq = hz, .freq = 1};
    int event = (int)syscall(SYS_perf_event_open, &attr, pid > 0 ? pid : -1, pid > 0 ? EVERY_CPU : cpu, -1,
                             PERF_FLAG_FD_CLOEXEC);
    if (event < 0) {
      if (errno == ENODEV) continue; /* the CPU is offline */
      return -errno;
    }
    int kept = keep(far, bpf_program__attach_perf_event(program, event));
    if (kept < 0) {
      close(event);
      return kept;
    }
    attached++;
  }
  return attached ? 0 : -ENODEV;
}

int far_links(const struct far *far) { return (int)far->count; }

int far_detach_from(struct far *far, int kept) {
  int problem = 0;
  if (kept < 0) return -EINVAL;
  while (far->count > (size_t)kept) { /* the last first: entries before the returns that belong to them */
    struct bpf_link *link = far->links[--far->count];
    int result = link ? bpf_link__destroy(link) : 0;
    if (result && !problem) problem = result;
  }
  return problem;
}

int far_detach(struct far *far) {
  int problem = far_detach_from(far, 0);
  free(far->links);
  far->links = NULL;
  return problem;
}

void far_close(struct far *far) {
  far_detach(far);
  bpf_object__close(far->object);
  free(far);
}

int far_map(const struct far *far, const char *name) {
  struct bpf_map *map = bpf_object__find_map_by_name(far->object, name);
  return map ? bpf_map__fd(map) : -ENOENT;
}

int far_map_sizes(const struct far *far, const char *name, uint32_t sizes[4]) {
  struct bpf_map *map = bpf_object__find_map_by_name(far->object, name);
  if (!map) return -ENOENT;
  sizes[0] = bpf_map__type(map);
  sizes[1] = bpf_map__key_size(map);
  sizes[2] = bpf_map__value_size(map);
  sizes[3] = bpf_map__max_entries(map);
  return 0;
}

long far_dump(int map, size_t key_size, size_t value_size, int cpus, const char *after, char *out, size_t size) {
  size_t each = cpus > 1 ? (value_size + 7) / 8 * 8 * (size_t)cpus : value_size;
  char *used = malloc(key_size ? key_size : 1);
  const char *key = after;
  long count = 0;
  size_t at = 0;
  if (!used) return -ENOMEM;
  while (at + key_size + each <= size && bpf_map_get_next_key(map, key, out + at) == 0) {
    memcpy(used, out + at, key_size);
    key = used;
    if (bpf_map_lookup_elem(map, key, out + at + key_size)) continue; /* it has gone meanwhile */
    at += key_size + each;
    count++;
  }
  free(used);
  return count;
}

long far_keys(int map, size_t key_size, const char *after, char *out, size_t size) {
  const char *key = after;
  long count = 0;
  for (size_t at = 0; at + key_size <= size && bpf_map_get_next_key(map, key, out + at) == 0; at += key_size) {
    key = out + at;
    count++;
  }
  return count;
}

int far_put(int map, const void *key, const void *value) {
  return bpf_map_update_elem(map, key, value, BPF_ANY) ? -errno : 0;
}

int far_get(int map, const void *key, void *value) { return bpf_map_lookup_elem(map, key, value) ? -errno : 0; }

int far_cpus(void) { return libbpf_num_possible_cpus(); }

const void *far_types(const struct far *far, uint32_t *size) {
  const struct btf *types = bpf_object__btf(far->object);
  return types ? btf__raw_data(types, size) : NULL;
}

int far_iterator(struct far *far, const char *name, int pid) {
  struct bpf_program *program = program_of(far, name);
  if (!program) return -ENOENT;
  union bpf_iter_link_info which = {.task.pid = (uint32_t)pid};
  LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = pid ? &which : NULL, .link_info_len = pid ? sizeof which : 0);
  return keep(far, bpf_program__attach_iter(program, &options));
}

long far_read_iterator(struct far *far, int iterator, char *out, size_t size) {
  if (iterator < 0 || (size_t)iterator >= far->count) return -EINVAL;
  int pass = bpf_iter_create(bpf_link__fd(far->links[iterator]));
  if (pass < 0) return -errno;
  size_t at = 0;
  while (at < size) {
    ssize_t got = read(pass, out + at, size - at);
    if (got < 0 && errno == EAGAIN) continue; /* one page is full: it goes on */
    if (got < 0) {
      int problem = errno;
      close(pass);
      return -problem;
    }
    if (got == 0) break;
    at += (size_t)got;
  }
  close(pass);
  return (long)at;
}

int far_run(struct far *far, const char *name, void *context, size_t size) {
  struct bpf_program *program = program_of(far, name);
  if (!program) return -ENOENT;
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = context, .ctx_size_in = (__u32)size);
  return bpf_prog_test_run_opts(bpf_program__fd(program), &options) ? -errno : (int)options.retval;
}

long far_iterate(struct far *far, const char *name, int pid, char *out, size_t size) {
  int iterator = far_iterator(far, name, pid);
  if (iterator < 0) return iterator;
  long got = far_read_iterator(far, iterator, out, size);
  bpf_link__destroy(far->links[iterator]);
  far->count--;
  return got;
}

/* Where the events of one pass go. */
static struct {
  char *out;
  size_t size, at;
} drained;

static int take_event(void *context, void *data, size_t size) {
  (void)context;
  size_t whole = 8 + (size + 7) / 8 * 8;
  if (drained.at + whole > drained.size) return -ENOSPC;
  uint32_t head[2] = {(uint32_t)size, 0};
  memcpy(drained.out + drained.at, head, sizeof head);
  memcpy(drained.out + drained.at + 8, data, size);
  drained.at += whole;
  return drained.size - drained.at < MOST_EVENT ? -ENOBUFS : 0; /* it is taken; the next may not fit */
}

struct ring_buffer *far_ring(struct far *far, const char *name) {
  int map = far_map(far, name);
  return map < 0 ? NULL : ring_buffer__new(map, take_event, NULL, NULL);
}

long far_drain(struct ring_buffer *ring, char *out, size_t size) {
  drained.out = out;
  drained.size = size;
  drained.at = 0;
  int count = ring_buffer__consume(ring);
  return count < 0 && !drained.at ? count : (long)drained.at;
}

void far_ring_close(struct ring_buffer *ring) { ring_buffer__free(ring); }
