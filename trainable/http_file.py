"""Fetches one file over HTTPS as a stream: bounded in size and time, complete or not at all."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import IO, BinaryIO

from data_prep.errors import InputError, WorkFailedError

_CHUNK_BYTES = 1 << 20
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Source:
    """Where files come from, and what is allowed."""

    base_url: str
    """Address of the folder."""
    timeout: float = 30.0
    """Seconds without a byte after which the server is given up."""
    deadline: float = 1800.0
    """Seconds for a whole file."""
    max_bytes: int = 2**30
    """Largest file; official weights have 4 to 280 MB."""

    def url(self, name: str) -> str:
        """The address of a file."""
        return f"{self.base_url}/{name}"


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects (GitHub sends every download elsewhere), but never from HTTPS to something weaker."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://") and not (req.type == "http" and newurl.startswith("http://")):
            raise urllib.error.URLError(f"it redirects to {newurl[:80]!a}, which is not HTTPS")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def stream(source: Source, name: str, target: BinaryIO, advice: str) -> str:
    """Fetch a ``.pt`` file into ``target``.

    Args:
        source:
            Where it lies.
        name:
            Its name there.
        target:
            Written to; what is in it after an error is to be thrown away.
        advice:
            What the user can do instead, for the messages.

    Returns:
        The SHA-256 of what came, as hex digits.

    Raises:
        InputError: The server does not have the file, or sends something that is no ``.pt`` file.
        WorkFailedError: The server cannot be reached, is too slow, or stops in the middle.
        OSError: ``target`` cannot be written.
    """
    url = source.url(name)
    try:
        opener = urllib.request.build_opener(_NoDowngrade)
        request = urllib.request.Request(url, headers={"User-Agent": "hypsweep"})
        response = opener.open(request, timeout=source.timeout)
    except urllib.error.HTTPError as error:
        kind = InputError if error.code in (404, 410) else WorkFailedError
        raise kind(f"{url}: the server answers {error.code} ({error.reason}); {advice}.") from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error, advice) from error
    with response:
        return _copy(response, url, source, target, advice)


def _copy(response: http.client.HTTPResponse, url: str, source: Source, target: BinaryIO, advice: str) -> str:
    digest, received, end = hashlib.sha256(), 0, time.monotonic() + source.deadline
    announced = response.length
    if announced is not None and announced > source.max_bytes:
        raise InputError(f"{url}: the file has {announced:,} bytes and {source.max_bytes:,} are allowed; {advice}.")
    while chunk := _next(response, url, advice):
        if received == 0 and not chunk.startswith(_ZIP):
            raise InputError(f"{url}: what comes is no .pt file (the page of a proxy or a login?); {advice}.")
        received += len(chunk)
        if received > source.max_bytes:
            raise InputError(f"{url}: the file has more than the {source.max_bytes:,} bytes allowed; {advice}.")
        if time.monotonic() > end:
            raise WorkFailedError(f"{url}: not there after {source.deadline:g} s; {advice}.")
        digest.update(chunk)
        target.write(chunk)
    if received == 0 or (announced is not None and received != announced):
        of = f" of {announced:,}" if announced else ""
        raise WorkFailedError(f"{url}: only {received:,}{of} bytes came; try again, or {advice}.")
    return digest.hexdigest()


def _next(response: http.client.HTTPResponse, url: str, advice: str) -> bytes:
    try:
        return response.read1(_CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error, advice) from error


def _unreachable(url: str, error: Exception, advice: str) -> WorkFailedError:
    reason = getattr(error, "reason", None) or error
    text = str(getattr(reason, "strerror", None) or reason) or type(reason).__name__
    return WorkFailedError(f"{url}: cannot be fetched ({text}); {advice}, or try again with a network.")
