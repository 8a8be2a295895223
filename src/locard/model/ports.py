"""What usually listens on a well-known port, for naming a far end that cannot be looked at."""

from __future__ import annotations

_SERVICES = {
    53: "DNS", 80: "HTTP", 88: "Kerberos", 389: "LDAP", 443: "HTTPS", 636: "LDAPS",
    1433: "SQL Server", 1521: "Oracle", 2049: "NFS", 2181: "ZooKeeper", 2379: "etcd",
    3306: "MySQL", 4222: "NATS", 4317: "OpenTelemetry", 4318: "OpenTelemetry", 5432: "PostgreSQL",
    5671: "AMQP", 5672: "AMQP", 6379: "Redis", 6432: "PgBouncer", 6443: "Kubernetes API",
    8086: "InfluxDB", 8125: "StatsD", 8200: "Vault", 8500: "Consul", 9042: "Cassandra",
    9092: "Kafka", 9200: "Elasticsearch", 11211: "memcached", 26379: "Redis Sentinel",
    27017: "MongoDB",
}  # fmt: skip
# What a server's own process is called, where its port is not the usual one.
_PROGRAMS = {
    "postgres": "PostgreSQL", "redis-server": "Redis", "valkey-server": "Valkey",
    "mysqld": "MySQL", "mariadbd": "MariaDB", "mongod": "MongoDB", "memcached": "memcached",
    "nginx": "nginx", "haproxy": "HAProxy", "envoy": "Envoy", "pgbouncer": "PgBouncer",
    "etcd": "etcd", "beam.smp": "Erlang", "named": "DNS", "dnsmasq": "DNS", "unbound": "DNS",
    "coredns": "DNS", "systemd-resolve": "DNS",
}  # fmt: skip


def service(address: str, protocol: str, program: str | None) -> str | None:
    """The service at `host:port`: by its program where that is known, else by its port."""
    if program in _PROGRAMS:
        return _PROGRAMS[program]
    port = address.rpartition(":")[2]
    found = _SERVICES.get(int(port)) if port.isdigit() else None
    if program is not None and found != "DNS":
        return None  # another program listens at that port
    return found if protocol == "tcp" or found in {"DNS", "StatsD", "NFS", "Kerberos"} else None


def program(comm: str, exe: object) -> str:
    """What a process is called: its own name, unless that is a server's and another file runs.

    Anybody may call himself postgres. `exe` is the name of the file that runs; empty where it may not
    be seen, None where it was not looked for.
    """
    if comm not in _PROGRAMS or not isinstance(exe, str) or not exe:
        return comm
    same = _PROGRAMS.get(exe) == _PROGRAMS[comm] or exe.startswith(
        (comm, comm.partition("-")[0] + "-")
    )
    return comm if same else exe
