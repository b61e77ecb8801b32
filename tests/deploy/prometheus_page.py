"""TorchServe's metrics port as a test wants it: those lines of the real one that somebody reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PAGE = """\
# TYPE WorkerLoadTime gauge
WorkerLoadTime{{WorkerName="W-9000-zero_shot_1.0",Level="Host",Hostname="vm",}} 31349.0
WorkerLoadTime{{WorkerName="W-9001-fish__expert_1.0",Level="Host",Hostname="vm",}} {load_time}
# TYPE fishgate_java_threads gauge
fishgate_java_threads{{Hostname="vm",}} {threads}
# TYPE fishgate_java_started_seconds gauge
fishgate_java_started_seconds{{Hostname="vm",}} {started}
# TYPE fishgate_batches_total counter
fishgate_batches_total{{model="expert",size="1",Hostname="vm",}} {batches}
# TYPE PredictionTime gauge
PredictionTime{{ModelName="fish__expert",Level="Model",Hostname="vm",}} 12.57
# TYPE Requests2XX counter
Requests2XX{{Level="Host",Hostname="vm",}} {batches}
# TYPE Requests5XX counter
"""


@dataclass
class TorchServePage:
    """TorchServe's metrics port, with the lines of the real one that somebody reads."""

    load_time_ms: float = 25423.0
    threads: int = 44
    started_s: float = 380.5
    reads: int = 0
    port: int = 0

    def text(self) -> str:
        """Return the page; each look finds one batch more."""
        self.reads += 1
        return _PAGE.format(
            load_time=self.load_time_ms, threads=self.threads, started=self.started_s, batches=self.reads
        )

    @contextmanager
    def served(self) -> Iterator[TorchServePage]:
        """Serve it as long as the block takes."""
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = page.text().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = int(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, name="metrics page", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
