"""What is full, by name: one table of conventions, each with its source.

A line says of a resource which metric is what is used, which is its limit, and how they belong together.
Names are matched with dots written as underscores, so that OpenTelemetry's dotted names fit too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from locard.model.metric_facts import Resource

Form = Literal["level", "rate", "mean"]  # of a gauge; of a counter; sum over count


@dataclass(frozen=True, slots=True)
class Convention:
    """`used` and `limit` are patterns of whole names; `where` are label values that `used` has to have.

    `over` is a counter or gauge that `used` is a share of in the same form; `limit` a level.
    """

    resource: Resource
    used: str
    source: str
    limit: str = ""
    over: str = ""
    form: Form = "level"
    unit: str = "1"
    where: tuple[tuple[str, str], ...] = ()
    limit_where: tuple[tuple[str, str], ...] = ()


_C = Convention
TABLE = (
    _C("fds", r"process_open_fds", "Prometheus client libraries", r"process_max_fds", unit="{fd}"),
    _C("fds", r"process_files_open_files", "Micrometer", r"process_files_max_files", unit="{fd}"),
    _C("fds", r"process_unix_file_descriptor_count", "OpenTelemetry process metrics", unit="{fd}"),
    _C("fds", r"node_filefd_allocated", "node_exporter", r"node_filefd_maximum", unit="{fd}"),
    _C("threads", r"tomcat_threads_busy_threads", "Micrometer", r"tomcat_threads_config_max_threads", unit="{thread}"),
    _C("threads", r"jetty_threads_busy", "Micrometer", r"jetty_threads_config_max", unit="{thread}"),
    _C("threads", r"executor_active_threads", "Micrometer", r"executor_pool_max_threads", unit="{thread}"),
    _C("threads", r"process_threads|jvm_threads_live_threads|jvm_threads_current|jvm_thread_count|process_thread_count",
       "Prometheus client libraries, Micrometer, OpenTelemetry", unit="{thread}"),
    _C("goroutines", r"go_goroutines|go_goroutine_count", "client_golang, OpenTelemetry", unit="{goroutine}"),
    _C("pool", r"hikaricp_connections_active", "HikariCP", r"hikaricp_connections_max", unit="{connection}"),
    _C("pool waiting", r"hikaricp_connections_pending", "HikariCP", unit="{request}"),
    _C("pool hold", r"hikaricp_connections_usage_(seconds|millis|ms)", "HikariCP", form="mean", unit="s"),
    _C("pool timeouts", r"hikaricp_connections_timeout(_total)?", "HikariCP", form="rate", unit="{timeout}/s"),
    _C("pool", r"db_client_connections?_(usage|count)", "OpenTelemetry database metrics", r"db_client_connections?_max",
       unit="{connection}", where=(("state|db_client_connection_state", "used"),)),
    _C("pool waiting", r"db_client_connections?_pending_requests", "OpenTelemetry database metrics", unit="{request}"),
    _C("pool hold", r"db_client_connections?_use_time(_seconds|_milliseconds)?", "OpenTelemetry database metrics", form="mean", unit="s"),
    _C("pool timeouts", r"db_client_connections?_timeouts(_total)?", "OpenTelemetry database metrics", form="rate", unit="{timeout}/s"),
    _C("pool", r"go_sql_(stats_connections_)?in_use(_connections)?", "sqlstats, client_golang's DBStats",
       r"go_sql_(stats_connections_)?max_open(_connections)?", unit="{connection}"),
    _C("pool waiting", r"go_sql_(stats_connections_waited_for|wait_count)(_total)?", "client_golang's DBStats", form="rate", unit="{wait}/s"),
    _C("pool", r"r2dbc_pool_acquired_connections", "Micrometer", r"r2dbc_pool_max_allocated_connections", unit="{connection}"),
    _C("pool waiting", r"r2dbc_pool_pending_connections", "Micrometer", unit="{request}"),
    _C("pool", r"jdbc_connections_active", "Micrometer", r"jdbc_connections_max", unit="{connection}"),
    _C("pool", r"httpcomponents_httpclient_pool_total_connections", "Micrometer", r"httpcomponents_httpclient_pool_total_max",
       unit="{connection}", where=(("state", "leased"),)),
    _C("pool waiting", r"httpcomponents_httpclient_pool_total_pending", "Micrometer", unit="{request}"),
    _C("pool waiting", r"pgbouncer_pools_client_waiting_connections", "pgbouncer_exporter", unit="{connection}"),
    _C("pool", r"(sqlalchemy|db)_pool_(checked_?out|in_use)(_connections)?", "by analogy", r"(sqlalchemy|db)_pool_(size|max)(_connections)?", unit="{connection}"),
    _C("connections", r"pg_stat_activity_count|pg_stat_database_numbackends", "postgres_exporter", r"pg_settings_max_connections", unit="{connection}"),
    _C("connections", r"mysql_global_status_threads_connected", "mysqld_exporter", r"mysql_global_variables_max_connections", unit="{connection}"),
    _C("connections", r"redis_connected_clients", "redis_exporter", r"redis_config_maxclients", unit="{connection}"),
    _C("connections", r"nginx_connections_active|nginxplus_connections_active", "nginx exporter", unit="{connection}"),
    _C("connections", r"envoy_cluster_upstream_cx_active|envoy_http_downstream_cx_active", "Envoy", unit="{connection}"),
    _C("throttled", r"container_cpu_cfs_throttled_periods_total", "cAdvisor", over=r"container_cpu_cfs_periods_total", form="rate"),
    _C("throttled time", r"container_cpu_cfs_throttled_seconds_total", "cAdvisor", form="rate", unit="s/s"),
    _C("cpu limit", r"container_spec_cpu_quota", "cAdvisor", unit="us"),
    _C("cpu limit", r"kube_pod_container_resource_limits", "kube-state-metrics", unit="{cpu}", where=(("resource", "cpu"),)),
    _C("cpu of limit", r"container_cpu_usage_seconds_total", "cAdvisor", r"container_spec_cpu_quota", form="rate", unit="{cpu}"),
    _C("cpu", r"process_cpu_seconds_total|process_cpu_time(_seconds_total)?", "Prometheus client libraries", form="rate", unit="{cpu}"),
    _C("cpu", r"system_cpu_usage|process_cpu_usage", "Micrometer"),
    _C("cpu", r"node_pressure_cpu_waiting_seconds_total", "node_exporter", form="rate", unit="s/s"),
    _C("cpu stalls", r"container_pressure_cpu_(waiting|stalled)_seconds_total", "cAdvisor", form="rate", unit="s/s"),
    _C("cpu stalls", r"process_schedstat_waiting_seconds_total", "by analogy with node_exporter's schedstat", form="rate", unit="{thread}"),
    _C("io stalls", r"container_pressure_io_(waiting|stalled)_seconds_total|node_pressure_io_(waiting|stalled)_seconds_total",
       "cAdvisor, node_exporter", form="rate", unit="s/s"),
    _C("threads", r"container_threads", "cAdvisor", r"container_threads_max", unit="{thread}"),
    _C("working set", r"container_memory_working_set_bytes", "cAdvisor", r"container_spec_memory_limit_bytes", unit="By"),
    _C("rss", r"container_memory_rss", "cAdvisor", r"container_spec_memory_limit_bytes", unit="By"),
    _C("cache", r"container_memory_cache", "cAdvisor", unit="By"),
    _C("memory stalls", r"container_memory_failures_total", "cAdvisor", form="rate", unit="{fault}/s", where=(("failure_type|type", "pgmajfault"),)),
    _C("memory stalls", r"container_pressure_memory_(waiting|stalled)_seconds_total|node_pressure_memory_(waiting|stalled)_seconds_total",
       "cAdvisor, node_exporter", form="rate", unit="s/s"),
    _C("memory stalls", r"container_memory_failcnt", "cAdvisor", form="rate", unit="{hit}/s"),
    _C("memory stalls", r"container_memory_events(_total)?", "cgroup v2 memory.events, named by locard", form="rate", unit="{event}/s"),
    _C("memory stalls", r"process_major_page_faults_total", "OpenTelemetry process.paging.faults, by analogy", form="rate", unit="{fault}/s"),
    _C("oom", r"container_oom_events_total|node_vmstat_oom_kill", "cAdvisor, node_exporter", form="rate", unit="{kill}/s"),
    _C("file reads", r"container_fs_reads_bytes_total", "cAdvisor", form="rate", unit="By/s"),
    _C("disk free", r"node_filesystem_avail_bytes", "node_exporter", r"node_filesystem_size_bytes", unit="By"),
    _C("disk free", r"kubelet_volume_stats_available_bytes", "kubelet", r"kubelet_volume_stats_capacity_bytes", unit="By"),
    _C("memory", r"process_resident_memory_bytes", "Prometheus client libraries", unit="By"),
    _C("heap", r"jvm_memory_usage_after_gc(_percent)?|jvm_memory_used_after_last_gc(_bytes)?|jvm_gc_live_data_size_bytes", "Micrometer, OpenTelemetry",
       r"jvm_gc_max_data_size_bytes", unit="By"),
    _C("heap", r"jvm_memory_used(_bytes)?|jvm_memory_bytes_used", "Micrometer, simpleclient, OpenTelemetry",
       r"jvm_memory_max(_bytes)?|jvm_memory_bytes_max|jvm_memory_limit(_bytes)?", unit="By", where=(("area|jvm_memory_type", "heap"),),
       limit_where=(("area|jvm_memory_type", "heap"),)),
    _C("heap", r"nodejs_heap_size_used_bytes", "prom-client", r"nodejs_heap_size_total_bytes", unit="By"),
    _C("heap", r"go_memstats_heap_inuse_bytes", "client_golang", unit="By"),
    _C("gc", r"jvm_gc_pause_seconds_sum|jvm_gc_collection_seconds_sum|jvm_gc_duration_seconds_sum", "Micrometer, simpleclient, OpenTelemetry", form="rate", unit="s/s"),
    _C("gc", r"nodejs_gc_duration_seconds_sum|go_gc_duration_seconds_sum|v8js_gc_duration_seconds_sum", "prom-client, client_golang", form="rate", unit="s/s"),
    _C("gc", r"jvm_gc_overhead(_percent)?", "Micrometer"),
    _C("event loop", r"nodejs_eventloop_lag(_p99|_mean)?_seconds|nodejs_eventloop_delay_(p99|mean)(_seconds)?|(asyncio_)?event_loop_lag(_seconds)?",
       "prom-client, OpenTelemetry", unit="s"),
    _C("queue", r"executor_queued_tasks", "Micrometer", r"executor_queue_capacity(_tasks)?", unit="{task}"),
    _C("queue", r"rabbitmq_queue_messages(_ready)?|rabbitmq_detailed_queue_messages(_ready)?", "RabbitMQ", unit="{message}"),
    _C("queue", r"kafka_consumergroup_lag(_sum)?|kafka_consumer_(fetch_manager_)?records_lag(_max)?|kafka_consumer_lag", "kafka_exporter, Micrometer", unit="{message}"),
    _C("queue", r"celery_queue_length|rq_jobs_queued|sidekiq_queue_(backlog|size)|sidekiq_queue_enqueued_jobs", "exporters of job queues", unit="{task}"),
    _C("queue", r"envoy_cluster_upstream_rq_pending_active", "Envoy", unit="{request}"),
    _C("queue", r"aws_sqs_approximate_number_of_messages_visible_(average|maximum)", "cloudwatch_exporter", unit="{message}"),
    _C("replicas", r"kube_(horizontalpodautoscaler|hpa)_status_current_replicas", "kube-state-metrics",
       r"kube_(horizontalpodautoscaler|hpa)_spec_max_replicas", unit="{replica}"),
    _C("unready", r"kube_(deployment|statefulset|daemonset)_status_(replicas|number)_unavailable", "kube-state-metrics", unit="{replica}"),
    _C("restarts", r"kube_pod_container_status_restarts_total", "kube-state-metrics", form="rate", unit="{restart}/s"),
)  # fmt: skip
# By analogy, where no line fits: how much waits in what is called a queue or a backlog.
_QUEUE = re.compile(r"(^|_)(queue|backlog)(_|$)")
_QUEUED = re.compile(
    r"(depth|length|size|pending|backlog|waiting|queued|messages|tasks|jobs|items|queue)$"
)
_NOT_QUEUE = re.compile(
    r"(_total|_max|_limit|_capacity|_bytes|_seconds|_bucket|_count|_sum|_created)$"
)
_COMPILED = tuple((re.compile(c.used), c) for c in TABLE)
_ANALOGY = Convention("queue", "", "by analogy", unit="{item}")


def plain(name: str) -> str:
    """A metric name with dots and dashes as underscores."""
    return re.sub(r"[^a-zA-Z0-9_:]", "_", name)


def conventions_of(name: str, labels: dict[str, str]) -> Convention | None:
    """The line that a series is what is used of; None if it is none."""
    known = plain(name)
    for pattern, convention in _COMPILED:
        stem = re.sub(r"_(sum|count)$", "", known) if convention.form == "mean" else known
        if pattern.fullmatch(stem) and fits(convention.where, labels):
            return convention
    if _QUEUE.search(known) and _QUEUED.search(known) and not _NOT_QUEUE.search(known):
        return _ANALOGY
    return None


def fits(where: tuple[tuple[str, str], ...], labels: dict[str, str]) -> bool:
    """Whether each of the named labels has the value that it has to have."""
    for names, value in where:
        if not any(plain(k) in names.split("|") and v == value for k, v in labels.items()):
            return False
    return True
