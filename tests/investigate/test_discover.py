"""Logs, ports and limits, judged from what surrounds the target; and real processes through it all."""

from __future__ import annotations

import here
from locard.investigate.discover import cgroups, endpoints, log_files, log_sources
from locard.model.process_table import Listening, Surroundings, WrittenFile
from locard.model.target import Process, Target

UNKNOWN = Process(7, 1, 0, 0.0, 0, "server", ("/opt/server",))
GUNICORN = Process(8, 1, 0, 0.0, 0, "gunicorn", ("python3", "/venv/bin/gunicorn", "app:app"))
TARGET = Target("pid/7", "pid", "7", "here", (UNKNOWN, GUNICORN))


def port(number, *pids, address="127.0.0.1"):
    return Listening(number, address, "127.0.0.1", pids)


def file(fd, path, size=1):
    return WrittenFile(7, fd, path, path, size)


def test_logs_by_name_come_first_then_standard_output_each_once():
    files = (
        file(1, "/o.txt"), file(2, "/o.txt"), file(5, "/b.log"), file(6, "/a.log"),
        file(7, "/empty.log", size=0), file(8, "/b.log"),
    )  # fmt: skip
    assert log_files(Surroundings(files)) == ("/b.log", "/a.log", "/o.txt")
    many = tuple(file(n, f"/{n}.log") for n in range(3, 20))
    assert len(log_files(Surroundings(many))) == 4


def test_a_deleted_log_comes_last_and_not_beside_its_successor():
    gone, other = file(3, "/a.log (deleted)"), file(4, "/b.log")
    assert log_files(Surroundings((gone, other))) == ("/b.log", "/a.log (deleted)")
    assert log_files(Surroundings((gone, other, file(5, "/a.log")))) == ("/b.log", "/a.log")


def test_a_unit_without_a_log_file_writes_into_its_journal():
    unit = Target("unit/pay", "unit", "pay", "here", (UNKNOWN,))
    assert log_sources(unit, Surroundings()) == ("unit/pay",)
    assert log_sources(unit, Surroundings((file(5, "/b.log"),))) == ("/b.log",)
    assert log_sources(TARGET, Surroundings()) == ()


def test_only_what_speaks_http_is_asked():
    around = Surroundings(listening=(port(80, 8), port(90, 7, address=None)), own_network=True)
    found = endpoints(TARGET, around)
    assert found.urls == ("http://127.0.0.1:80/metrics",)
    assert found.not_asked == ("port 90: not asked, nothing says that it speaks HTTP",)


def test_a_script_speaks_for_a_single_port_only():
    scripts = frozenset({7})
    one = Surroundings(listening=(port(90, 7),), own_network=True, scripts=scripts)
    assert endpoints(TARGET, one).urls == ("http://127.0.0.1:90/metrics",)
    two = Surroundings(listening=(port(90, 7), port(91, 7)), own_network=True, scripts=scripts)
    assert endpoints(TARGET, two).urls == ()
    assert len(endpoints(TARGET, two).not_asked) == 2


def test_ports_of_another_network_are_someone_elses():
    listening = (port(80, 8),)
    assert endpoints(TARGET, Surroundings(listening=listening)).urls == ()
    own = Surroundings(listening=listening, own_network=True)
    assert endpoints(TARGET, own).urls == ("http://127.0.0.1:80/metrics",)


def test_cgroups_by_controller():
    around = Surroundings(cgroups={"memory": ("/sys/fs/cgroup/a", "/sys/fs/cgroup")})
    assert cgroups(around, "memory") == ("/sys/fs/cgroup/a", "/sys/fs/cgroup")
    assert cgroups(around, "cpu") == ()


SERVICE = """
import socket, sys, time
s = socket.create_server(("127.0.0.1", 0))
log = open(sys.argv[1], "a")
log.write("x\\n"); log.flush()
print(s.getsockname()[1], flush=True)
time.sleep(300)
"""


def test_logs_and_metrics_are_found_from_the_process(start, tmp_path):
    path = tmp_path / "service.log"
    process = start("-c", SERVICE, path)
    target = here.find(f"pid/{process.pid}")
    around = here.surroundings(target)
    assert log_files(around) == (str(path),)
    # It listens, and nothing says that it speaks HTTP.
    number = process.line.strip()
    assert endpoints(target, around).urls == ()
    said = f"port {number}: not asked, nothing says that it speaks HTTP"
    assert endpoints(target, around).not_asked == (said,)
    # Its log tells of requests: then it does.
    path.write_text('10.0.0.1 - - [x] "GET /a HTTP/1.1" 200 5\n')
    found = endpoints(target, here.surroundings(target))
    assert found.urls == (f"http://127.0.0.1:{number}/metrics",)


def test_a_script_that_imports_an_http_server_speaks_http(start):
    process = start("metrics_page.py")
    target = here.find(f"pid/{process.pid}")
    found = endpoints(target, here.surroundings(target))
    assert found.urls == (f"http://127.0.0.1:{process.line.strip()}/metrics",)
    assert found.not_asked == ()
