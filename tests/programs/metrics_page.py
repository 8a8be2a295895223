"""Serves an exposition whose calls to one upstream get slower with the second scrape."""

import http.server
import sys

TEMPLATE = """# TYPE http_client_request_duration_seconds histogram
http_client_request_duration_seconds_bucket{{server_address="bank",le="0.1"}} {fast}
http_client_request_duration_seconds_bucket{{server_address="bank",le="1"}} {all}
http_client_request_duration_seconds_bucket{{server_address="bank",le="+Inf"}} {all}
http_client_request_duration_seconds_sum{{server_address="bank"}} {sum}
http_client_request_duration_seconds_count{{server_address="bank"}} {all}
# TYPE http_requests_total counter
http_requests_total{{status="200"}} {all}
http_requests_total{{status="500"}} {slow}
process_open_fds 12
process_max_fds 1024
"""
SCRAPES = []


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        slow = 50 * len(SCRAPES)
        SCRAPES.append(1)
        total = 1000 + slow
        body = TEMPLATE.format(
            fast=total - slow, all=total, slow=slow, sum=(total - slow) * 0.02 + slow * 0.5
        )
        self.send_response(200 if self.path == "/metrics" else 404)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
