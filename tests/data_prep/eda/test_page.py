from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from data_prep.eda import PAGE_NAME, write_eda
from data_prep.findings import Finding, Kind
from data_prep.records import ImageRecord, Source
from tests.data_prep.eda.conftest import NAMES, STRATIFICATION, jpeg, record, square

VOID = {"meta", "img", "br", "hr", "link", "input"}
Read = Callable[[Source], bytes]


class Page(HTMLParser):
    """What a browser would make of a page; fails on tags that do not match."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def page_of(
    tmp_path: Path,
    records: list[ImageRecord],
    names: tuple[str, ...] = NAMES,
    findings: tuple[Finding, ...] = (),
    read: Read | None = None,
    title: str = "herd",
) -> Page:
    splits = {"train": records[:3], "full": records}
    out = tmp_path / "eda"
    write_eda(records, names, findings, out, title=title, splits=splits, stratification=STRATIFICATION, read=read)
    return Page((out / PAGE_NAME).read_text(encoding="utf-8"))


def assert_inert(page: Page) -> None:
    """Nothing runs and nothing is fetched."""
    assert not page.tags & {"script", "iframe", "object", "embed", "link", "base", "form", "foreignobject"}
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert all(value.startswith("data:image/") for value in page.values("src"))
    assert all(value.startswith(("#", "data:image/")) for value in page.values("href"))
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page.values("content")
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert set(page.values("href")) >= {
        f"#{value}" for tag, name, value in page.attributes if (tag, name) == ("section", "id")
    }


def test_a_page_shows_what_was_counted(
    tmp_path: Path, records: list[ImageRecord], findings: list[Finding], read: Read
) -> None:
    page = page_of(tmp_path, records, findings=tuple(findings), read=read)
    assert_inert(page)
    assert {"herd", "pig", "cow", "7", "5", "57.1 %", "400x300", "a.jpg: 2 boxes", "c.jpg: 3 boxes"} <= set(page.texts)
    assert {"size_disagreement", "says 1x1", "b.jpg: box_outside (1), size_disagreement (1)"} <= set(page.texts)
    assert "2 of 5 pictures (40.0 %) are background." in page.texts
    images = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    assert len(images) == 2 + 2 + 1 + 2  # pigs, cows, background that has a picture, errors and warnings


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "\"><img src=x onerror='alert(1)'>",
        "</style></title><script>x</script>",
        "&lt;b&gt;",
        "$x_{$",
    ],
)
def test_text_from_the_data_stays_text(tmp_path: Path, hostile: str) -> None:
    shown = ImageRecord(hostile, Source(Path(f"/x/{hostile}.jpg")), 400, 300, (square(0, 20),))
    background = ImageRecord(hostile + "2", Source(Path("/x/y.jpg")), 400, 300)
    findings = (Finding(Kind.BOX_OUTSIDE, hostile, hostile, shown.key),)
    page = page_of(tmp_path, [shown, background], (hostile,), findings, lambda source: jpeg(), title=hostile)
    assert_inert(page)
    assert page.texts.count(hostile) >= 5
    assert f"{hostile}.jpg: 1 box" in page.texts


def test_without_pictures_it_says_so(tmp_path: Path) -> None:
    records = [record("a", square(0, 20), pictured=False)]
    for read in (None, lambda source: jpeg()):
        page = page_of(tmp_path, records, read=read)
        assert "The data has boxes and no pictures, so there are no contact sheets." in page.texts
        assert not [tag for tag in page.tags if tag == "img"]


def test_a_picture_that_cannot_be_read_leaves_a_gap_that_says_so(tmp_path: Path) -> None:
    page = page_of(tmp_path, [record("a", square(0, 20))], read=lambda source: b"no picture")
    assert_inert(page)
    assert page.texts[page.texts.index("cannot be shown") + 1] == "a.jpg: 1 box"
    assert page.values("src") == []


def test_nothing_at_all_is_a_page_too(tmp_path: Path) -> None:
    page = page_of(tmp_path, [], ())
    assert_inert(page)
    assert page.texts.count("There is nothing to show.") == 5


def test_pictures_without_any_box_are_a_page_too(tmp_path: Path, read: Read) -> None:
    page = page_of(tmp_path, [record(f"p{index:03d}") for index in range(70)], read=read)
    assert_inert(page)
    assert "The first 60; images.parquet has all." in " ".join(page.texts)
    assert len(page.values("src")) == 12
    listed = [page.texts.count(f"p{index:03d}.jpg") for index in range(70)]
    assert sum(listed) == 60 + 12


def test_many_classes_are_all_in_the_tables_and_some_in_plots(tmp_path: Path, read: Read) -> None:
    names = tuple(f"class {index}" for index in range(80))
    records = [record(f"p{index}", square(index, 20), square((index + 1) % 80, 50)) for index in range(80)]
    page = page_of(tmp_path, records, names, read=read)
    assert_inert(page)
    in_tables = 5 + 3 + 1  # five tables of classes, one of three bins each, the heading of a sheet
    assert Counter(page.texts.count(name) for name in names) == {in_tables: 72, in_tables + 5: 8}
    assert "Plotted are the 8 of 80 classes with the most boxes; the table has all." in " ".join(page.texts)


def test_findings_are_listed_gravest_first_and_not_without_end(tmp_path: Path, records: list[ImageRecord]) -> None:
    warnings = tuple(Finding(Kind.BOX_OUTSIDE, f"{index}.txt", "beyond") for index in range(200))
    page = page_of(tmp_path, records, findings=(*warnings, Finding(Kind.UNREADABLE_LABEL, "grave.txt", "cut")))
    assert "The first 60 of 201; findings.parquet has all." in page.texts
    assert page.texts.index("grave.txt") < page.texts.index("0.txt")
    assert page.texts.count("beyond") == 59
