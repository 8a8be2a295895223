"""JSON of python-json-logger: the attributes of Python's LogRecord under their own names.

Source: python-json-logger; the LogRecord attributes of Python's logging.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample

SAMPLES = (
    LineSample(
        '{"asctime":"2025-11-22 12:00:00,250","levelname":"ERROR","name":"shop.pay","message":"card declined","exc_info":"Traceback ..."}',
        {"time": 1763812800.25, "level": "error", "message": "card declined"},
    ),
    LineSample(
        '{"asctime":"2025-11-22 12:00:01,000","levelname":"CRITICAL","name":"shop.pay","message":"gone"}',
        {"time": 1763812801.0, "level": "critical"},
    ),
    LineSample(
        '{"asctime":"2025-11-22 12:00:02,000","levelname":"INFO","name":"shop.pay","message":"ok","status_code":200}',
        {"level": "info", "status": 200},
    ),
)
