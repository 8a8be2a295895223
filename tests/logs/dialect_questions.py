"""Questions that two programs answer: what one finds, the other has to find."""

# Each is asked of locard and of the other program; the answers must be the same.
ANSWERABLE = [
    "status >= 500",
    "status = 503 and upstream = cards",
    "status != 503",
    "status < 500 or duration > 400",
    "not (status >= 500 or path ~ '1$')",
    "upstream in (cards, ledger)",
    "upstream not in (cards)",
    'upstream = "mail é\\"x\\\\y"',
    "upstream is null",
    "upstream is not null and level >= error",
    "level = error",
    "level < warn",
    "upstream < d",
    "path ~ '^/o/[0-9]$' or path !~ '[0-8]$'",
    "http.method = POST and `odd name` = true",
    "`odd name` = false",
    "duration >= 0.1s and duration < 120ms",
    "time >= 12:05 and time < 2026-03-01T12:06:00Z",
    "time < 12:00:03",
    "not time < 12:09:00",
    "trace_id = t7",
]
