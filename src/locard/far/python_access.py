"""Why another process's memory may not be read, in words, and its threads' ids as this side numbers them.

Stands behind `far/memory.py` in one namespace; standard library only, 3.6 or later. process_vm_readv(2) asks what ptrace(2)
asks (PTRACE_MODE_ATTACH_REALCREDS): the same user and dumpable, or CAP_SYS_PTRACE in its user namespace; then Yama
and other security modules.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CAP_SYS_PTRACE = 19
YAMA = "/proc/sys/kernel/yama/ptrace_scope"
OF_YAMA = {
    1: "Yama (kernel.yama.ptrace_scope=1) lets only its parent or who has CAP_SYS_PTRACE read it: use sudo",
    2: "Yama (kernel.yama.ptrace_scope=2) lets only who has CAP_SYS_PTRACE read it: use sudo",
    3: "Yama (kernel.yama.ptrace_scope=3) lets nobody read another process until the next boot",
}


def status_of(pid: "int | str") -> "dict[str, list[str]]":
    """The fields of /proc/PID/status as words; empty where it cannot be read."""
    found = {}
    try:
        with open("/proc/%s/status" % pid, errors="replace") as file:
            for line in file:
                name, _, rest = line.partition(":")
                found[name] = rest.split()
    except OSError:
        pass
    return found


def whole(path: str) -> str:
    """A small file without its end of line, or a link's target; "" where it cannot be read."""
    try:
        if os.path.islink(path):
            return os.readlink(path)
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def refused(pid: int, error: OSError) -> str:
    """What keeps this process from reading another, and what would help."""
    what = "opening %s" % error.filename if error.filename else "process_vm_readv"
    told = "%s failed with %s, " % (what, "EACCES" if error.errno == 13 else "EPERM")
    mine, other = status_of("self"), status_of(pid)
    if not other:
        return told + "and it cannot be seen (a /proc with hidepid): run as root or as its user"
    able = int((mine.get("CapEff") or ["0"])[0], 16) >> CAP_SYS_PTRACE & 1
    scope = whole(YAMA)
    users = set(other.get("Uid", [])[:3]) | {"g" + g for g in other.get("Gid", [])[:3]}
    own = {str(os.getuid()), "g%d" % os.getgid()}
    if scope == "3":
        why = OF_YAMA[3]
    elif not able and users != own:
        uid = (other.get("Uid") or ["?"])[0]
        why = (
            "it runs as user %s and this as %d without CAP_SYS_PTRACE: run as that user or with sudo"
            % (uid, os.getuid())
        )
        if os.getuid() == 0 and uid == "0":
            why = "this is root without CAP_SYS_PTRACE: grant it (docker: --cap-add SYS_PTRACE)"
        elif uid == str(os.getuid()):
            why = "its group ids are others and this has no CAP_SYS_PTRACE: use sudo"
    elif not able and scope in ("1", "2"):
        why = OF_YAMA[int(scope)]
    elif not able:
        why = more_able(mine, other)
    elif whole("/proc/self/ns/user") != whole("/proc/%d/ns/user" % pid):
        why = "CAP_SYS_PTRACE counts in this user namespace only, and it runs in another: run at the host"
    else:
        why = "though CAP_SYS_PTRACE is there: a security module (SELinux, AppArmor) or seccomp forbids it"
    return told + why


def more_able(mine: "dict[str, list[str]]", other: "dict[str, list[str]]") -> str:
    """The same user, no Yama: what else ptrace(2) asks for."""
    has, wants = (int((s.get("CapPrm") or ["0"])[0], 16) for s in (mine, other))
    if wants & ~has:
        if os.getuid() == 0:
            return "this is root without CAP_SYS_PTRACE: grant it (docker: --cap-add SYS_PTRACE)"
        return "it has capabilities that this has not, and this has no CAP_SYS_PTRACE: use sudo"
    return "it is not dumpable (setuid, or prctl) and this has no CAP_SYS_PTRACE: use sudo"


class Numbers:
    """Ids of a process's threads: as its own pid namespace numbers them, and as this side does."""

    def __init__(self, pid: int) -> None:
        """Reads nothing of its threads where both are the same."""
        self.pid = pid
        self.nested = len(status_of(pid).get("NSpid", [])) > 1
        self.outer = {}  # type: dict[int, int]

    def look(self) -> None:
        """Read them anew."""
        self.outer = {}
        try:
            names = os.listdir("/proc/%d/task" % self.pid)
        except OSError:
            return
        for name in names:
            if self.nested:
                inner = status_of("%d/task/%s" % (self.pid, name)).get("NSpid", [])[-1:]
                if inner:
                    self.outer[int(inner[0])] = int(name)
            else:
                self.outer[int(name)] = int(name)
