"""Official weights by name, from a real HTTP server on this machine."""

from __future__ import annotations

import functools
import hashlib
import http.client
import http.server
import io
import multiprocessing
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_prep.errors import DiskFullError, InputError, WorkFailedError
from tests.trainable.weights_server import NAME, Served, get, nothing_left, serving, weights
from trainable import downloads
from trainable.downloads import find_weights, official_names, weights_folder
from trainable.http_file import Source, _NoDowngrade


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with serving() as served:
        yield served


def test_the_official_names_are_those_of_models_that_the_package_has() -> None:
    names = [f"yolov5{size}{suffix}.pt" for size in "nsmlx" for suffix in ("", "6")]
    assert official_names() == sorted(names)


def test_it_is_fetched_once_recorded_and_found_afterwards(tmp_path: Path, server: Served) -> None:
    path = get(tmp_path / "cache", server)

    assert path == tmp_path / "cache" / NAME
    assert path.read_bytes() == server.content
    assert path.with_name(f"{NAME}.sha256").read_text() == f"{server.sha256}  {NAME}\n"
    assert get(tmp_path / "cache", server) == path
    assert server.paths == [f"/v7.0/{NAME}"]


def test_a_file_in_the_working_folder_goes_before_the_cache(
    tmp_path: Path, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).write_bytes(b"mine")

    assert get(tmp_path / "cache", server).read_bytes() == b"mine"
    assert server.paths == []


def test_the_default_cache_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert weights_folder() == tmp_path / "x" / "hypsweep" / "weights"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the standard says: ignore it
    assert weights_folder() == tmp_path / ".cache" / "hypsweep" / "weights"


def test_a_cached_file_that_changed_is_refused_with_both_digests(tmp_path: Path, server: Served) -> None:
    path = get(tmp_path, server)
    path.write_bytes(weights("others"))

    with pytest.raises(InputError, match=NAME) as caught:
        get(tmp_path, server)

    assert server.sha256 in str(caught.value)
    assert hashlib.sha256(weights("others")).hexdigest() in str(caught.value)


def test_what_is_fetched_again_must_be_what_was_fetched_first(tmp_path: Path, server: Served) -> None:
    get(tmp_path, server).unlink()
    first, server.content = server.sha256, weights("others")

    with pytest.raises(InputError, match=rf"{server.sha256} and should have {first}.*{NAME}\.sha256"):
        get(tmp_path, server)

    assert not (tmp_path / NAME).exists()


def test_the_digest_of_the_settings_is_kept_to(tmp_path: Path, server: Served) -> None:
    wrong = "0" * 64
    with pytest.raises(InputError, match=rf"{server.sha256} and should have {wrong}, says weights_sha256"):
        get(tmp_path, server, wrong)
    assert nothing_left(tmp_path)

    path = get(tmp_path, server, server.sha256.upper())
    with pytest.raises(InputError, match=rf"{server.sha256} and should be {wrong}"):
        get(tmp_path, server, wrong)
    with pytest.raises(InputError, match=rf"{server.sha256} and should be {wrong}"):
        find_weights(str(path), wrong)
    assert find_weights(str(path), server.sha256) == path


@pytest.mark.parametrize("digest", ["abc", "", "g" * 64, "0" * 65, int("1" * 64)])
def test_a_digest_that_is_none_is_named(tmp_path: Path, server: Served, digest: Any) -> None:
    with pytest.raises(InputError, match=r"weights_sha256 is .*sha256sum"):
        get(tmp_path, server, digest)


def test_a_damaged_record_is_named(tmp_path: Path, server: Served) -> None:
    get(tmp_path, server).with_name(f"{NAME}.sha256").write_bytes(b"\xff")

    with pytest.raises(InputError, match=r"yolov5n\.pt\.sha256: holds no SHA-256"):
        get(tmp_path, server)


def test_a_file_put_there_by_hand_is_taken_and_recorded(tmp_path: Path, server: Served) -> None:
    (tmp_path / NAME).write_bytes(b"by hand")

    assert get(tmp_path, server).read_bytes() == b"by hand"
    assert (tmp_path / f"{NAME}.sha256").exists()
    assert server.paths == []


@pytest.mark.parametrize(
    ("answer", "changes", "error", "words"),
    [
        ({"status": 404}, {}, InputError, "404"),
        ({"status": 503}, {}, WorkFailedError, "503"),
        ({"status": 407}, {}, WorkFailedError, "407"),
        ({"cut": 200_000}, {}, WorkFailedError, "200,000 of 300,2"),
        ({"headers": {"Content-Length": "5"}}, {}, InputError, "no whole .pt file"),
        ({"headers": {"Content-Length": "9000000"}}, {}, WorkFailedError, "300,241 of 9,000,000 bytes"),
        ({"headers": {"Content-Length": "9" * 15}}, {}, InputError, "are allowed"),
        ({}, {"max_bytes": 250_000}, InputError, "250,000 are allowed"),
        ({"content": b"<html>Log in</html>"}, {}, InputError, "the page of a proxy"),
        ({"content": b""}, {}, WorkFailedError, "only 0 bytes came"),
        ({"seconds_per_part": 1.0}, {"timeout": 0.2}, WorkFailedError, "timed out"),
        ({"seconds_per_part": 0.1}, {"deadline": 0.15}, WorkFailedError, "not there after 0.15 s"),
    ],
)
def test_what_goes_wrong_is_said_and_leaves_nothing(
    tmp_path: Path, server: Served, answer: dict[str, Any], changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    for name, value in answer.items():
        setattr(server, name, value)
    with pytest.raises(error, match=words) as caught:
        get(tmp_path, server, **changes)
    message = str(caught.value)
    assert f"put the file at {tmp_path / NAME}, or give the path" in message
    assert "\n" not in message
    assert nothing_left(tmp_path)


def test_without_a_length_the_size_is_still_limited(tmp_path: Path, server: Served) -> None:
    server.headers = {"Content-Length": ""}  # urllib takes it for none

    assert get(tmp_path / "a", server).read_bytes() == server.content
    with pytest.raises(InputError, match="more than the 250,000 bytes"):
        get(tmp_path / "b", server, max_bytes=250_000)
    assert nothing_left(tmp_path / "b")


def test_redirects_are_followed_but_not_out_of_https(
    tmp_path: Path, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status, server.headers = 302, {"Location": f"http://127.0.0.1:{server.port}/elsewhere"}
    assert get(tmp_path, server).read_bytes() == server.content
    assert server.paths == [f"/v7.0/{NAME}", "/elsewhere"]

    (tmp_path / "secret").write_bytes(weights())
    places = {f"file://{tmp_path}/secret": "302", f"ftp://127.0.0.1:{server.port}/elsewhere": "not HTTPS"}
    for place, words in places.items():
        server.headers = {"Location": place}
        with pytest.raises(WorkFailedError, match=words):
            get(tmp_path / "other", server)
        assert nothing_left(tmp_path / "other")


@pytest.mark.parametrize("target", ["http://a.example/x", "ftp://a.example/x", "https://a.example/x"])
def test_from_https_only_https_is_followed(target: str) -> None:
    request, headers = urllib.request.Request("https://a.example"), http.client.HTTPMessage()
    redirect = functools.partial(_NoDowngrade().redirect_request, request, io.BytesIO(), 302, "Found", headers, target)
    if target.startswith("https"):
        assert redirect().full_url == target
    else:
        with pytest.raises(urllib.error.URLError, match="not HTTPS"):
            redirect()


def test_offline_is_said_in_one_sentence(tmp_path: Path, server: Served) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    for source in (Source(f"http://127.0.0.1:{port}"), Source("https://127.0.0.1.invalid/v7.0")):
        with pytest.raises(WorkFailedError, match=r"cannot be fetched \(.+\); put the file at .*yolov5n\.pt, or give"):
            find_weights(NAME, folder=tmp_path, source=source)
    assert nothing_left(tmp_path)


def test_a_server_without_a_certificate_is_refused(tmp_path: Path, server: Served) -> None:
    with pytest.raises(WorkFailedError, match="cannot be fetched"):
        find_weights(NAME, folder=tmp_path, source=Source(f"https://127.0.0.1:{server.port}", timeout=2))
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("wrong", ["yolov5q.pt", "nowhere/yolov5n.pt", "yolov5n", "../yolov5n.pt", "yolov8n.pt"])
def test_only_bare_official_names_are_fetched(tmp_path: Path, server: Served, wrong: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"there is no file {wrong}")):
        find_weights(wrong, folder=tmp_path / "cache", source=server.source)
    assert server.paths == []
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, server: Served) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(WorkFailedError, match=r"file/cache/yolov5n\.pt: the weights cannot be kept.*XDG_CACHE_HOME"):
        get(tmp_path / "file" / "cache", server)


def test_a_full_disk_leaves_nothing(tmp_path: Path, server: Served) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_fetch_on_a_full_disk, args=(tmp_path, server.source, queue))
    process.start()
    kind, message = queue.get(timeout=8)
    process.join()

    assert kind == DiskFullError.__name__
    assert str(tmp_path) in message
    assert nothing_left(tmp_path)


def _fetch_on_a_full_disk(folder: Path, source: Source, queue: Any) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        find_weights(NAME, folder=folder, source=source)
    except WorkFailedError as error:
        queue.put((type(error).__name__, str(error)))


def test_four_processes_make_one_download(tmp_path: Path, server: Served) -> None:
    server.seconds_per_part = 0.05
    context = multiprocessing.get_context("fork")
    queue, start = context.Queue(), context.Event()
    processes = [
        context.Process(target=_fetch_with_others, args=(tmp_path, server.source, start, queue)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    start.set()
    found = [queue.get(timeout=8) for _ in processes]
    for process in processes:
        process.join()

    assert found == [server.sha256] * 4
    assert len(server.paths) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".{NAME}.lock", NAME, f"{NAME}.sha256"]


def _fetch_with_others(folder: Path, source: Source, start: Any, queue: Any) -> None:
    start.wait()
    path = find_weights(NAME, folder=folder, source=source)
    queue.put(hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_download_that_was_killed_is_made_anew(tmp_path: Path, server: Served) -> None:
    server.seconds_per_part = 5.0
    context = multiprocessing.get_context("fork")
    process = context.Process(target=find_weights, args=(NAME,), kwargs={"folder": tmp_path, "source": server.source})
    process.start()
    while not any(path.stat().st_size for path in tmp_path.glob("*.draft")) and not list(tmp_path.glob(".*.draft")):
        time.sleep(0.01)
    process.kill()
    process.join()
    assert not (tmp_path / NAME).exists()

    server.seconds_per_part = 0.0
    assert get(tmp_path, server).read_bytes() == server.content
    assert not list(tmp_path.glob(".*.draft"))


def test_it_needs_no_torch(tmp_path: Path) -> None:
    """The driver of a sweep asks for official names."""
    code = "import sys, trainable.downloads as d; d.official_names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_source_is_ultralytics_release() -> None:
    assert Source(downloads.RELEASE).url(NAME) == (
        "https://github.com/ultralytics/yolov5/releases/download/v7.0/yolov5n.pt"
    )
