"""Seeded damage to the bytes of any text format."""

from __future__ import annotations

import random
import re


def damage(content: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to three kinds of damage."""
    for _ in range(rng.randint(1, 3)):
        content = rng.choice(DAMAGES)(content, rng)
    return content


def _flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _without_a_slice(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start + rng.randint(1, 20) :]


def _with_a_slice_twice(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    end = start + rng.randint(1, 60)
    return content[:end] + content[start:]


def _other_encoding(content: bytes, rng: random.Random) -> bytes:
    text = content.decode("latin-1")
    return rng.choice([text.encode("utf-16"), text.encode("utf-32"), b"\xef\xbb\xbf" + content, text.encode("cp037")])


def _other_token(content: bytes, rng: random.Random) -> bytes:
    tokens = list(re.finditer(rb"[-+.\w]+", content))
    if not tokens:
        return content
    token = rng.choice(tokens)
    return content[: token.start()] + rng.choice(TOKENS) + content[token.end() :]


def _inserted(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + rng.choice(TOKENS) + content[start:]


TOKENS = (
    *(b"nan NaN Infinity -inf 1e999 1e308 -1 0 1 2 7 true null None 0x10 1_0 0.5 1e-400 12abc".split()),
    *(b"\x00 \xff \xed\xa0\x80 \xef\xbc\x91 \" ' < > & [ ] { } , : ; / \\ \\ud800 \r \n <a> </a>".split(b" ")),
    b"9" * 400,
    b"9" * 5000,
    b"[" * 30_000,
    b"<a>" * 30_000,
    b'{"a":' * 30_000,
    b"<!DOCTYPE a [<!ENTITY b '1'>]>",
    "돼지".encode(),
    "돼지".encode("cp949"),
)
DAMAGES = (_flip, _flip, _cut, _without_a_slice, _with_a_slice_twice, _other_encoding, _other_token, _inserted)
