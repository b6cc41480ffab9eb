from __future__ import annotations

from pathlib import Path

import pytest

from search.study_url import absolute_url, shown_url, sqlite_file


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///study.db", "sqlite:////yaml/study.db"),
        ("sqlite:///../a/study.db?timeout=5", "sqlite:////a/study.db?timeout=5"),
        ("sqlite+pysqlite:///study.db", "sqlite+pysqlite:////yaml/study.db"),
        ("sqlite:////abs/study.db", "sqlite:////abs/study.db"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite:///file:study.db?uri=true", "sqlite:///file:study.db?uri=true"),
        ("postgresql+psycopg://me:p%40ss@host:5432/studies", "postgresql+psycopg://me:p%40ss@host:5432/studies"),
        ("nonsense", "nonsense"),
    ],
)
def test_only_a_sqlite_file_is_made_absolute(url: str, expected: str) -> None:
    assert absolute_url(url, Path("/yaml")) == expected
    assert absolute_url(expected, Path("/elsewhere")) == expected


def test_the_file_of_a_url() -> None:
    assert sqlite_file("sqlite:////abs/study.db") == Path("/abs/study.db")
    assert sqlite_file("sqlite://") is sqlite_file("postgresql://host/studies") is sqlite_file("nonsense") is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://me:hush@host:5432/studies", "postgresql+psycopg://me:***@host:5432/studies"),
        ("postgresql://host/studies?user=me&password=hush", "postgresql://host/studies?password=%2A%2A%2A&user=me"),
        ("postgresql://me@host/studies", "postgresql://me@host/studies"),
        ("mysql://me:hush@host:port/studies", "mysql://me:***@host:port/studies"),
        ("sqlite:////abs/study.db", "sqlite:////abs/study.db"),
        ("nonsense", "nonsense"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert shown_url(url) == shown
