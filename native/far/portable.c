/* What keeps the library loadable on any Linux: C libraries from glibc 2.28 on, and musl.
 *
 * Debian's libelf.a is built for programs: its elf_error.o keeps the last error in storage that a shared
 * library cannot have, and its objects call glibc's checked functions. The newest symbol versions that
 * libbpf's calls would ask for (fstat: 2.33) are system calls here. All of it is hidden. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOCAL __attribute__((visibility("hidden")))

static int last_error;

LOCAL void __libelf_seterrno(int value) { last_error = value; }

LOCAL int elf_errno(void) {
  int value = last_error;
  last_error = 0;
  return value;
}

LOCAL const char *elf_errmsg(int error) {
  (void)error;
  return "not an ELF file that can be read";
}

/* struct stat and struct stat64 are the kernel's own on 64-bit machines. */
LOCAL int fstat(int file, void *into) { return (int)syscall(SYS_fstat, file, into); }
LOCAL int fstat64(int file, void *into) { return (int)syscall(SYS_fstat, file, into); }

LOCAL int fcntl64(int file, int command, ...) {
  va_list args;
  va_start(args, command);
  void *argument = va_arg(args, void *);
  va_end(args);
  return (int)syscall(SYS_fcntl, file, command, argument);
}

LOCAL int __vsnprintf_chk(char *out, size_t size, int flag, size_t room, const char *format, va_list args) {
  (void)flag;
  return vsnprintf(out, size < room ? size : room, format, args);
}

LOCAL int __snprintf_chk(char *out, size_t size, int flag, size_t room, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int length = __vsnprintf_chk(out, size, flag, room, format, args);
  va_end(args);
  return length;
}
