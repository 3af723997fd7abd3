"""A worker that does nothing but live, answer /readyz and end on SIGTERM: to try the cluster without any service."""

from __future__ import annotations

import http.server
import os
import signal
import sys


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers 200 to everything, or 503 when told to never become ready."""

    def do_GET(self) -> None:
        """Answer one request."""
        self.send_response(503 if "NEVER_READY" in os.environ else 200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay quiet: the log is for what goes wrong."""


def main() -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stderr.write("plain worker started\n")
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["NESTWORK_WEB_PORT"])), Pages).serve_forever()


if __name__ == "__main__":
    main()
