"""Builds ``.pt`` files that no training would write."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Call:
    """Unpickled, it calls ``function(*arguments)``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


def archive(
    path: Path, content: bytes, storages: Mapping[str, bytes] | None = None, *, compression: int = zipfile.ZIP_STORED
) -> Path:
    """A zip archive as ``torch.save`` writes it, around any pickle."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", content)
        file.writestr("archive/byteorder", b"little")
        for key, data in (storages or {}).items():
            file.writestr(f"archive/data/{key}", data)
        file.writestr("archive/version", b"3\n")
    return path


class Code:
    """Pickle steps by hand, protocol 2."""

    def __init__(self) -> None:
        self.steps = bytearray(b"\x80\x02")

    def add(self, *steps: bytes) -> Code:
        for step in steps:
            self.steps += step
        return self

    def bytes(self) -> bytes:
        return bytes(self.steps) + b"."


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def ordered() -> bytes:
    """An empty OrderedDict."""
    return name("collections", "OrderedDict") + b")R"


def storage(key: str, count: int, kind: str = "FloatStorage") -> bytes:
    return b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + number(count) + b"tQ"


def tensor(stored: bytes, offset: int, size: bytes, stride: bytes, hooks: bytes = ordered()) -> bytes:
    rebuild = name("torch._utils", "_rebuild_tensor_v2")
    return rebuild + b"(" + stored + number(offset) + size + stride + b"\x89" + hooks + b"tR"


def entry(value: bytes, key: str = "model.0.conv.weight") -> bytes:
    """A dictionary with one entry, as the whole pickle."""
    return Code().add(b"}", text(key), value, b"s").bytes()
