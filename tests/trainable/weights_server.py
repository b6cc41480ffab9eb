"""A real HTTP server that serves one file of weights, well or badly."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from trainable.downloads import find_weights
from trainable.http_file import Source

NAME = "yolov5n.pt"


def weights(text: str = "weights") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", text)
        file.writestr("archive/data/0", bytes(300_000))
    return buffer.getvalue()


@dataclass
class Served:
    """What the server answers, and what it was asked."""

    content: bytes = field(default_factory=weights)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    seconds_per_part: float = 0.0
    paths: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def source(self) -> Source:
        return Source(f"http://127.0.0.1:{self.port}/v7.0", timeout=2.0)


class Handler(http.server.BaseHTTPRequestHandler):
    served: ClassVar[Served]

    def do_GET(self) -> None:
        served = self.served
        served.paths.append(self.path)
        moved = served.status == 302 and not self.path.startswith("/elsewhere")
        self.send_response(served.status if moved or served.status != 302 else 200)
        for name, value in {"Content-Length": str(0 if moved else len(served.content)), **served.headers}.items():
            if moved or name != "Location":
                self.send_header(name, value)
        self.end_headers()
        for start in range(0, 0 if moved else len(served.content[: served.cut]), 100_000):
            with contextlib.suppress(ConnectionError):  # the reader has had enough
                self.wfile.write(served.content[: served.cut][start : start + 100_000])
            time.sleep(served.seconds_per_part)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@contextlib.contextmanager
def serving() -> Iterator[Served]:
    """A server in a thread, on a free port of this machine."""
    served = Served()
    handler = type("Serving", (Handler,), {"served": served})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(folder: Path, server: Served, sha256: str | None = None, **changes: Any) -> Path:
    """The weights from the cache in ``folder``, which are fetched where they are not there."""
    return find_weights(NAME, sha256, folder=folder, source=replace(server.source, **changes))


def nothing_left(folder: Path) -> bool:
    """Whether nothing but the lock lies in a cache."""
    return {path.name for path in folder.iterdir()} <= {f".{NAME}.lock"}
