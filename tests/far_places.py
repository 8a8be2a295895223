"""Real far sides on this machine: sshd's in namespaces of their own, and podman containers.

A `Network` is a hub, where the operator's ssh starts, and hosts on one bridge: each has its own
network, mounts, processes and name, homes and /etc of its own; nothing of this machine changes and
no way leads out. `Containers` keeps images, made here from busybox and from this machine's own
Python, in a folder of the test. What cannot be had raises `UnavailableError` with the reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

PREFIX = "10.78.0."


class UnavailableError(Exception):
    """Why such a place cannot be had on this machine."""


def call(*argv, check=True, **options):
    """Run to the end, at most a minute."""
    options.setdefault("stdin", subprocess.DEVNULL)
    argv = [str(word) for word in argv]
    return subprocess.run(argv, check=check, timeout=60, capture_output=True, **options)


def until(condition, seconds=20):
    """Wait for something to be so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)


def left_this_network(child):
    """Whether a process is in a network namespace of its own by now."""
    spaces = [Path(f"/proc/{pid}/ns/net").readlink() for pid in (child.pid, "self")]
    return spaces[0] != spaces[1]


def wrapper(path, *argv):
    """An executable that stands for another with arguments before its own."""
    path.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in argv) + ' "$@"\n')
    path.chmod(0o755)
    return path


HOST = r"""set -e
until ip link show eth0 >/dev/null 2>&1; do sleep .02; done
mount --make-rprivate /
mount --bind {folder} /mnt
mount -t tmpfs -o mode=755 tmpfs {box}
mkdir {box}/up {box}/work
mount -t overlay overlay -o lowerdir=/etc,upperdir={box}/up,workdir={box}/work /etc
for d in /home /root /srv /opt /var/log /run /tmp; do mount -t tmpfs -o mode=755 tmpfs $d; done
chmod 1777 /tmp; mkdir -p /run/sshd
hostname {name}
ip link set lo up; ip addr add {address}/24 dev eth0; ip link set eth0 up
rm -f /etc/ssh/sshd_config.d/* /etc/motd /etc/nologin
ssh-keygen -q -t ed25519 -N '' -f /run/host_key
user() {{ useradd -m -s "$2" "$1"; mkdir -m 700 /home/$1/.ssh; cp /mnt/key.pub /home/$1/.ssh/authorized_keys
  chown -R $1: /home/$1; passwd -d $1 >/dev/null; }}
cat >/etc/ssh/sshd_config <<X
Port 22
HostKey /run/host_key
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
X
{users}
{setup}
echo {name} "$(cut -d' ' -f1,2 /run/host_key.pub)" >/mnt/{name}.new; mv /mnt/{name}.new /mnt/{name}.hostkey
umount -l /mnt
exec {serve}
"""


class Network:
    """A hub and its hosts; `ssh` is the client with the network's own configuration."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.config = folder / "ssh_config"
        self.known = folder / "known_hosts"
        self._hosts = {}
        self._children = []
        self._next = 10

    def has(self, tool):
        """Whether this machine, and so each host, has a program."""
        return shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is not None

    def start(self):
        for tool in ("sshd", "unshare", "nsenter", "ip", "useradd"):
            if not self.has(tool):
                raise UnavailableError(f"{tool} is not installed")
        if os.geteuid() != 0:
            raise UnavailableError("namespaces with an sshd need root")
        try:
            self._start()
        except (subprocess.SubprocessError, TimeoutError, OSError) as error:
            self.close()
            raise UnavailableError(f"no namespaces here: {error}") from error
        return self

    def _start(self):
        call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "key")
        self._hub = self._spawn("unshare", "-n", "--", "sleep", "infinity")
        until(lambda: left_this_network(self._hub))
        for words in (
            "link set lo up",
            "link add br0 type bridge",
            f"addr add {PREFIX}1/24 dev br0",
        ):
            self.hub("ip", *words.split())
        self.hub("ip", "link", "set", "br0", "up")
        self.known.touch()
        self._configure()
        self.ssh = self.client(self.folder / "ssh", self.config)

    def _spawn(self, *argv, **options):
        null = subprocess.DEVNULL
        options = {"stdout": null, "stderr": null, **options}
        if shutil.which("setpriv"):  # they end with the tests, however these end
            argv = ("setpriv", "--pdeathsig", "KILL", *argv)
        child = subprocess.Popen(argv, stdin=null, start_new_session=True, **options)
        self._children.append(child)
        return child

    def _enter_hub(self):
        return (shutil.which("nsenter"), "-t", str(self._hub.pid), "-n", "--")

    def client(self, path, config):
        """An executable that is ssh where the operator stands, with a configuration."""
        return wrapper(path, *self._enter_hub(), shutil.which("ssh"), "-F", config)

    def hub(self, *argv, **options):
        """Run where the operator stands."""
        return call(*self._enter_hub(), *argv, **options)

    def host(
        self,
        name,
        *,
        users=(("oncall", "/bin/bash"),),
        setup="",
        sshd=True,
        known=True,
        jump="",
        serve="",
    ):
        """A host that is up when this returns. `serve`: what stands in place of its sshd."""
        self._next += 1
        number = self._next
        address = f"{PREFIX}{number}"
        box = self.folder / f"{name}.box"
        box.mkdir()
        serve = serve or ("/usr/sbin/sshd -D -e" if sshd else "sleep infinity")
        script = HOST.format(
            folder=self.folder, box=box, name=name, address=address, setup=setup, serve=serve,
            users="\n".join(f"user {user} {shell}" for user, shell in users),
        )  # fmt: skip
        log = (self.folder / f"{name}.log").open("wb")
        child = self._spawn(
            *("unshare", "-n", "-m", "-u", "-i", "-p", "-f", "--kill-child", "--mount-proc"),
            "bash", "-c", script, stdout=log, stderr=log,
        )  # fmt: skip
        until(lambda: left_this_network(child))
        self.hub(
            "ip",
            "link",
            "add",
            f"v{number}",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            child.pid,
        )
        self.hub("ip", "link", "set", f"v{number}", "master", "br0", "up")
        key = self.folder / f"{name}.hostkey"
        until(lambda: key.exists() or child.poll() is not None)
        if child.poll() is not None:
            raise UnavailableError(f"{name}: {(self.folder / f'{name}.log').read_text()[-300:]}")
        self._hosts[name] = (child, address, jump)
        if known:
            self.known.write_text(self.known.read_text() + key.read_text())
        self._configure()
        if sshd:
            probe = f"exec 3<>/dev/tcp/{address}/22"
            until(lambda: self.hub("bash", "-c", probe, check=False).returncode == 0)
        return address

    def silence(self, name):
        """A host whose address swallows what is sent to it."""
        self._next += 1
        address = f"{PREFIX}{self._next}"
        self.hub("ip", "neigh", "add", address, "lladdr", "02:00:00:00:00:99", "dev", "br0")
        self._hosts[name] = (None, address, "")
        self._configure()

    def change_key(self, name, like):
        """The key on record of a host becomes another host's."""
        lines = dict(line.split(" ", 1) for line in self.known.read_text().splitlines())
        lines[name] = lines[like]
        self.known.write_text("".join(f"{host} {key}\n" for host, key in lines.items()))

    def _configure(self):
        hosts = "".join(
            f"Host {name}\n  HostName {address}\n  HostKeyAlias {name}\n  User oncall\n"
            + (f"  ProxyJump {jump}\n" if jump else "")
            for name, (_, address, jump) in self._hosts.items()
        )
        self.config.write_text(
            f"{hosts}Host *\n  IdentityFile {self.folder}/key\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.known}\n  GlobalKnownHostsFile /dev/null\n"
            "  StrictHostKeyChecking yes\n  LogLevel ERROR\n"
        )

    def inside(self, name, *argv, **options):
        """Run on the host itself, as one who may look behind the scene."""
        first = self.first(name)
        return call("nsenter", "-t", first, "-n", "-m", "-u", "-p", "--", *argv, **options)

    def first(self, name):
        """The number here of the first process of a host."""
        pid = self._hosts[name][0].pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]

    def close(self):
        """End what was started, newest first."""
        for child in reversed(self._children):
            child.kill()
        for child in self._children:
            child.wait(timeout=20)


class Containers:
    """Containers of an engine with a storage of its own; `client` is podman on that storage."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._names = []

    def start(self):
        for tool in ("podman", "runc", "busybox"):
            if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin") is None:
                raise UnavailableError(f"{tool} is not installed")
        if os.geteuid() != 0:
            raise UnavailableError("containers in a storage of their own need root here")
        runc = shutil.which("runc", path=os.environ["PATH"] + ":/usr/sbin")
        own = [f"--{name}={self.folder / name}" for name in ("root", "runroot", "tmpdir")]
        settings = self.folder / "containers.conf"
        settings.write_text('[engine]\nlock_type = "file"\n')  # shared memory is everybody's
        self.client = wrapper(
            self.folder / "podman",
            shutil.which("env"),
            f"CONTAINERS_CONF={settings}",
            shutil.which("podman"),
            *own,
            "--storage-driver=vfs",  # overlay leaves a mount behind
            "--cgroup-manager=cgroupfs",
            f"--runtime={runc}",
        )
        try:
            self._make_images()
            self.run("probe", "busybox")
        except subprocess.CalledProcessError as error:
            raise UnavailableError(f"no containers here: {error.stderr.decode()[-300:]}") from error
        return self

    def _make_images(self):
        busybox = shutil.which("busybox")
        base = self._tree("busybox")
        shutil.copy(busybox, base / "bin")
        for name in {*call(busybox, "--list", text=True).stdout.split()} - {"busybox"}:
            (base / "bin" / name).symlink_to("busybox")
        still = self._tree("distroless")
        shutil.copy(busybox, still / "sleep")  # one static program, named as what it does
        for name in ("busybox", "distroless"):
            self._import(name, self.folder / name)

    def _tree(self, name):
        root = self.folder / name
        for folder in ("bin", "etc", "proc", "sys", "dev", "tmp"):
            (root / folder).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        users = "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"
        (root / "etc/passwd").write_text(users)
        return root

    def _import(self, name, root):
        with subprocess.Popen(["tar", "c", "-C", root, "."], stdout=subprocess.PIPE) as tar:
            call(self.client, "import", "-", f"localhost/{name}:1", stdin=tar.stdout)

    def run(self, name, image, *options, command=()):
        """A container that sleeps, or runs `command`."""
        limits = ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=4096:4096")
        sleeps = ("/sleep" if image == "distroless" else "/bin/sleep", "100000")
        call(
            self.client, "run", "-d", "--name", name, "--network", "none", *limits, *options,
            f"localhost/{image}:1", *(command or sleeps),
        )  # fmt: skip
        self._names.append(name)
        return name

    def with_python(self, name, *options, command=()):
        """One that sees this machine's own programs and Python, read-only, as its own."""
        mounts = [
            part
            for path in ("/usr", "/lib", "/lib64", "/etc/ld.so.cache")
            if Path(path).exists()
            for part in ("-v", f"{Path(path).resolve()}:{path}:ro")
        ]
        return self.run(name, "busybox", *mounts, *options, command=command)

    def pause(self, name):
        """Freeze all that runs in it."""
        call(self.client, "pause", name)

    def resume(self, name):
        """Let it run on: what is frozen cannot be removed."""
        call(self.client, "unpause", name)

    def close(self):
        """Remove the containers; the folder is the test's."""
        if self._names:
            call(self.client, "rm", "-f", "-t", "0", *self._names, check=False)
