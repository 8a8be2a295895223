/* What travels to the target's place: libbpf behind a plain C interface, loaded from memory through ctypes.
 *
 * A `far` is one eBPF object: opened from bytes, its read-only data set, loaded, attached. Everything ends
 * with the process: links are file descriptors, nothing is pinned. Functions give 0 or a count; a negative
 * errno on failure, and `far_said` holds what libbpf and the verifier said. Not for several threads. */
#ifndef LOCARD_FAR_H
#define LOCARD_FAR_H

#include <stddef.h>
#include <stdint.h>

#define FAR_API __attribute__((visibility("default")))

struct far;
struct ring_buffer;

/* One function to attach to: where in the file, and what the program gets as its cookie. */
struct far_site {
  uint64_t offset;
  uint64_t cookie;
};

FAR_API const char *far_version(void);                  /* libbpf's: "1.7" */
FAR_API const char *far_said(void);                     /* since the last call; at most 64 KiB, the newest */
FAR_API struct far *far_open(const void *object, size_t size);
FAR_API int far_set(struct far *far, const char *name, const void *value, size_t size);
FAR_API int far_resize(struct far *far, const char *map, uint32_t entries);
FAR_API int far_leave_out(struct far *far, const char *program);
FAR_API int far_load(struct far *far);
FAR_API int far_attach(struct far *far, const char *program); /* by its section */
FAR_API int far_attach_sites(struct far *far, const char *program, int pid, const char *path,
                             const struct far_site *sites, size_t count, int at_return);
FAR_API int far_attach_usdt(struct far *far, const char *program, int pid, const char *path, const char *provider,
                            const char *name, uint64_t cookie);
FAR_API int far_attach_clock(struct far *far, const char *program, int pid, uint64_t hz);
FAR_API int far_links(const struct far *far);
FAR_API int far_detach(struct far *far);                /* what was counted stays readable */
FAR_API int far_detach_from(struct far *far, int kept);  /* all but the first so many that were attached */
FAR_API void far_close(struct far *far);

/* What a probe inside a function (entry 0) or at its entry (1) does to values that it keeps below its stack
 * pointer: how many of `tries` were spoilt while the probe was there and was hit so often, and after it. */
struct far_red_zone_result {
  uint64_t tries, spoilt, hits, after;
};
FAR_API int far_red_zone(int entry, struct far_red_zone_result *result); /* -EOPNOTSUPP: no such machine */

/* Functions of our own to attach to: 0, 1 begin with an instruction that the kernel emulates, 2, 3 with endbr64,
 * 4, 5 with one that it steps through. `far_time_site`: ns of a call, the median of some hundred. */
FAR_API const void *far_own_site(int which);
FAR_API int64_t far_time_site(int which);

/* Maps. `far_dump` writes key and value of entries, per-CPU values in a row, as far as there is room: after the
 * key `after`, or from the first (NULL). How many, or -errno. */
FAR_API int far_map(const struct far *far, const char *name); /* its descriptor */
FAR_API int far_map_sizes(const struct far *far, const char *name, uint32_t sizes[4]); /* type, key, value, entries */
FAR_API long far_dump(int map, size_t key_size, size_t value_size, int cpus, const char *after, char *out, size_t size);
FAR_API long far_keys(int map, size_t key_size, const char *after, char *out, size_t size); /* the keys alone */
FAR_API int far_put(int map, const void *key, const void *value);
FAR_API int far_get(int map, const void *key, void *value);
FAR_API int far_cpus(void);
FAR_API const void *far_types(const struct far *far, uint32_t *size); /* the object's BTF, raw */

/* One pass of an iterator over the threads of a process (0: all); what it wrote, in bytes, or -errno. */
FAR_API long far_iterate(struct far *far, const char *program, int pid, char *out, size_t size);
/* A kept iterator: attach once, read often. */
FAR_API int far_iterator(struct far *far, const char *program, int pid);
FAR_API long far_read_iterator(struct far *far, int iterator, char *out, size_t size);

/* Run a program of section "syscall" once with a context; what it returned, or -errno. */
FAR_API int far_run(struct far *far, const char *program, void *context, size_t size);

/* A ring buffer: `far_drain` writes u32 size, u32 0, bytes padded to 8, for each event that fits. */
FAR_API struct ring_buffer *far_ring(struct far *far, const char *map);
FAR_API long far_drain(struct ring_buffer *ring, char *out, size_t size);
FAR_API void far_ring_close(struct ring_buffer *ring);

#endif
