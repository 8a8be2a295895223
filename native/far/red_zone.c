/* Whether this kernel's probes write into the stack of who is probed inside a function.
 *
 * Some kernels (6.18 until 7.1) put a CALL in place of a five-byte NOP that is probed: it pushes its return
 * address at [rsp-8], into the red zone where a function may keep values below its stack pointer. Entries are
 * safe, nothing lies below there yet. Tried on two functions of this library, in the process that asks. */
#include "far.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES 1000

#if defined(__x86_64__)

/* Two values below the stack pointer, a NOP that may be probed, and whether they are still there. The entry
 * is a NOP as well: the same form of site where nothing can be spoilt. */
__asm__(
    ".text\n"
    ".balign 64\n"
    ".type far_keeps_values, @function\n"
    "far_keeps_values:\n"
    ".byte 0x0f,0x1f,0x44,0x00,0x00\n"
    "movabs $0x1111111111111111, %rax\n"
    "movq %rax, -8(%rsp)\n"
    "movabs $0x2222222222222222, %rax\n"
    "movq %rax, -16(%rsp)\n"
    "far_inside:\n"
    ".byte 0x0f,0x1f,0x44,0x00,0x00\n"
    "movabs $0x1111111111111111, %rax\n"
    "cmpq %rax, -8(%rsp)\n"
    "jne 1f\n"
    "movabs $0x2222222222222222, %rax\n"
    "cmpq %rax, -16(%rsp)\n"
    "jne 1f\n"
    "xorl %eax, %eax\n"
    "ret\n"
    "1: movl $1, %eax\n"
    "ret\n"
    ".size far_keeps_values, .-far_keeps_values\n");
extern unsigned long far_keeps_values(void) __attribute__((visibility("hidden")));
extern char far_inside[] __attribute__((visibility("hidden")));

/* The file that holds an address of this process, and where in it. */
static int place_of(unsigned long address, char *path, size_t room, unsigned long *offset) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[4352];
  int found = -ENOENT;
  if (!maps) return -errno;
  while (found && fgets(line, sizeof line, maps)) {
    unsigned long from, to, at;
    if (sscanf(line, "%lx-%lx %*s %lx", &from, &to, &at) == 3 && from <= address && address < to) {
      snprintf(path, room, "/proc/self/map_files/%lx-%lx", from, to);
      *offset = address - from + at;
      found = 0;
    }
  }
  fclose(maps);
  return found;
}

int far_red_zone(int entry, struct far_red_zone_result *result) {
  unsigned long address = entry ? (unsigned long)far_keeps_values : (unsigned long)far_inside, offset = 0;
  char path[96];
  int type = -1;
  memset(result, 0, sizeof *result);
  FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
  if (!file) return -errno;
  if (fscanf(file, "%d", &type) != 1) type = -1;
  fclose(file);
  if (type < 0) return -ENOENT;
  int problem = place_of(address, path, sizeof path, &offset);
  if (problem) return problem;
  struct perf_event_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.size = sizeof attr;
  attr.type = (unsigned)type;
  attr.config1 = (uint64_t)(unsigned long)path;
  attr.config2 = offset;
  int event = (int)syscall(SYS_perf_event_open, &attr, getpid(), -1, -1, PERF_FLAG_FD_CLOEXEC);
  if (event < 0) return -errno;
  for (int k = 0; k < TRIES; k++)
    if (far_keeps_values()) result->spoilt++;
  result->tries = TRIES;
  uint64_t hits = 0;
  if (read(event, &hits, sizeof hits) != sizeof hits) hits = 0;
  result->hits = hits;
  close(event);
  for (int k = 0; k < TRIES; k++)
    if (far_keeps_values()) result->after++;
  return 0;
}

#else

/* The other machines have no such path: a probe there is a trap. */
int far_red_zone(int entry, struct far_red_zone_result *result) {
  (void)entry;
  memset(result, 0, sizeof *result);
  return -EOPNOTSUPP;
}

#endif
