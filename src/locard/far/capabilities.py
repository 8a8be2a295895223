"""Tries what this place lets locard do, and prints it as one JSON document; standard library only.

{"ptrace_scope": 0, "kernel_log": "", "kernel_stack": "Permission denied"}: an empty text works, any other
says why not. Nothing is changed, and no other process is touched.
"""

import ctypes
import json
import os
import sys

READ_ALL = 3  # syslog(2): SYSLOG_ACTION_READ_ALL


def ptrace_scope() -> int:
    """Yama's setting: 0 where processes of the same user may be read; 0 without Yama."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def kernel_log() -> str:
    """Why the kernel's log cannot be read, in the kernel's words; empty where it can."""
    try:
        os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.klogctl(READ_ALL, ctypes.create_string_buffer(1), 1) < 0:
            return os.strerror(ctypes.get_errno())
    return ""


def kernel_stack() -> str:
    """Why /proc/PID/stack cannot be read; empty where it can."""
    try:
        with open("/proc/self/stack", "rb") as file:
            file.read()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def main() -> int:
    """Exit 0 always: what does not work is the answer."""
    found = {
        "ptrace_scope": ptrace_scope(),
        "kernel_log": kernel_log(),
        "kernel_stack": kernel_stack(),
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
