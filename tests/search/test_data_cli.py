"""The commands about data: ``prepare``, ``check``, ``eda``, ``compare-splits``."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.data_prep.conftest import (
    COW_IMAGES,
    COW_LABELS,
    PIG_LABELS,
    jpeg,
    label,
    write_archives,
    write_yolo,
    write_zip,
)
from tests.search.command_line import Cli, assert_refused, only_json, snapshot

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A prepare config beside raw archives that are in order."""
    write_archives(tmp_path / "raw", count=12)
    path = tmp_path / "prepare.yaml"
    path.write_text("source: {reader: aihub, folder: raw}\n")
    return path


def test_prepare_tells_what_it_made(cli: Cli, raw: Path, tmp_path: Path) -> None:
    found = cli("prepare", raw)
    assert (found.code, found.err) == (0, "")
    data = tmp_path / "datasets" / "prepare" / "data.yaml"
    assert found.out.splitlines()[-1] == f"data set: {data}"
    assert yaml.safe_load(data.read_text())["names"] == ["pig", "cow"]
    before = snapshot(tmp_path)
    assert cli("prepare", raw).out.splitlines()[-1] == f"data set: {data}"
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "content", "patterns"),
    [
        (COW_IMAGES, None, ["소"]),
        (COW_LABELS, b"PK\x03\x04 cut off", [r"\[라벨\]소_bbox\.zip"]),
        (COW_LABELS, b"", [r"\[라벨\]소_bbox\.zip"]),
    ],
)
def test_a_missing_or_damaged_archive_is_named(
    cli: Cli, raw: Path, name: str, content: bytes | None, patterns: list[str]
) -> None:
    archive = raw.parent / "raw" / name
    archive.unlink()
    if content is not None:
        archive.write_bytes(content)
    before = snapshot(raw.parent)
    assert_refused(cli("prepare", raw, "--out", "made/here"), *patterns)
    assert snapshot(raw.parent) == before


def test_a_label_that_is_no_json_is_named(cli: Cli, raw: Path) -> None:
    members = {f"가축/livestock_pig_bbox_{number:06d}.json": label((4, 5, 24, 15)) for number in range(12)}
    members["가축/livestock_pig_bbox_000007.json"] = b'{"label_info": {'
    write_zip(raw.parent / "raw" / PIG_LABELS, members)
    before = snapshot(raw.parent)
    found = cli("prepare", raw, "--out", "made/here")
    assert_refused(
        found._replace(out=""), "livestock_pig_bbox_000007.json", "JSON", "`policies.unreadable_label: drop`"
    )
    assert snapshot(raw.parent) == before


@pytest.mark.parametrize(
    ("line", "patterns"),
    [
        ("valid_fracton: 0.2", ["unknown key `valid_fracton`", "did you mean `valid_fraction`"]),
        ("valid_fraction: 1.5", [r"`valid_fraction` \(=1\.5\)", "less than 1"]),
        ("count_bins: {cow: [6, 4]}", [r"`count_bins\.cow`", "ascend"]),
        ("count_bins: {sheep: [4, 6]}", ["`sheep`", "correct it"]),
        ("source: {reader: magic}", ["magic"]),
        ("source: {reader: aihub, folder: nowhere}", ["nowhere"]),
        ("source: [", [r"no valid YAML at line \d"]),
    ],
)
def test_a_wrong_key_or_value_of_prepare_is_named(cli: Cli, raw: Path, line: str, patterns: list[str]) -> None:
    if not line.startswith("source"):
        line = raw.read_text() + line
    raw.write_text(line + "\n")
    before = snapshot(raw.parent)
    found = cli("prepare", raw, "--out", "made/here")
    assert_refused(found._replace(out=""), *patterns)  # what was read before is said
    assert snapshot(raw.parent) == before


def test_prepare_does_not_touch_a_folder_that_holds_something_else(cli: Cli, raw: Path) -> None:
    (raw.parent / "mine").mkdir()
    (raw.parent / "mine" / "notes.txt").write_text("mine")
    before = snapshot(raw.parent)
    assert_refused(cli("prepare", raw, "--out", "mine"), "mine is not empty", "choose another")
    assert snapshot(raw.parent) == before


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_the_next_run_does(tmp_path: Path) -> None:
    data = write_yolo(tmp_path / "raw", {"train": 4000, "val": 10})
    (tmp_path / "mine.yaml").write_text(f"source: {{reader: yolo, data: {data}}}\n")
    # Where the tests run in the background of a shell, SIGINT is ignored from the start.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from search.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "prepare", "mine.yaml"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment)
    while not (tmp_path / "datasets" / ".mine.partial" / "draft").exists():
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=30)[1] == "stopped; the same command again goes on where it was.\n"
    assert running.returncode == 130
    assert not (tmp_path / "datasets" / "mine").exists()
    assert subprocess.run(command, cwd=tmp_path, check=False, env=environment).returncode == 0
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == ["mine"]


@pytest.mark.parametrize("command", ["check", "eda", "compare-splits"])
def test_ctrl_c_while_looking_leaves_nothing(
    cli: Cli, raw: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = snapshot(raw.parent)
    monkeypatch.setattr("data_prep.gather.examine_images", interrupt)
    found = cli(command, raw)
    assert (found.code, found.err) == (130, "stopped.\n")
    assert snapshot(raw.parent) == before


# --- check -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def flawed(tmp_path: Path) -> Path:
    """YOLO folders with a broken picture and a box that sticks out; class names try to be markup."""
    data = write_yolo(tmp_path / "mine", {"train": 6, "val": 2}, names="['[bold]cow', pig]")
    (tmp_path / "mine" / "images" / "train" / "train_003.jpg").write_bytes(jpeg()[:300])
    (tmp_path / "mine" / "labels" / "train" / "train_004.txt").write_text("0 0.5 0.5 1.004 0.5\n")
    return data


def test_check_lists_findings_and_ends_with_one(cli: Cli, flawed: Path) -> None:
    found = cli("check", flawed, "--out", "findings.csv")
    assert (found.code, found.err) == (1, "")
    assert "error: unreadable_image: images/train/train_003.jpg: " in found.out
    assert "box_outside" in found.out
    with Path("findings.csv").open() as stream:
        rows = {row["kind"]: row for row in csv.DictReader(stream)}
    assert rows["unreadable_image"]["severity"] == "error"
    assert rows["box_outside"]["policy"] == "clip"


def test_check_takes_a_folder_and_speaks_json(cli: Cli, flawed: Path) -> None:
    found = cli("check", flawed.parent, "--json")
    answer = only_json(found.out)
    assert found.code == 1
    assert answer["sound"] is False
    assert answer["images"] == 7
    assert answer["counts"]["unreadable_image"] == {"fail": 1}


def test_check_of_sound_data_ends_with_zero(cli: Cli, raw: Path) -> None:
    assert cli("check", raw).code == 0
    assert cli("prepare", raw).code == 0
    assert cli("check", "datasets/prepare").code == 0


@pytest.mark.parametrize("damage", ["label", "image", "missing", "added", "list"])
def test_check_notices_what_changed_in_a_prepared_set(cli: Cli, raw: Path, damage: str) -> None:
    cli("prepare", raw)
    folder = Path("datasets/prepare")
    picked = sorted((folder / "labels" / "valid").iterdir())[0]
    image = folder / "images" / "valid" / f"{picked.stem}.jpg"
    if damage == "label":
        picked.write_text("0 0.5 0.5 0.1 0.1\n")
    elif damage == "image":
        content = image.read_bytes()
        image.write_bytes(content[:-10] + bytes([content[-10] ^ 1]) + content[-9:])
    elif damage == "missing":
        (folder / "images" / "full" / image.name).unlink()
    elif damage == "added":
        (folder / "labels" / "train" / "extra.txt").write_text("")
    else:
        (folder / "lists" / "valid.txt").write_text("")
    answer = only_json(cli("check", folder, "--json").out)
    assert answer["sound"] is False
    assert "changed_file" in answer["counts"]


def test_check_refuses_what_is_no_data(cli: Cli, tmp_path: Path) -> None:
    assert_refused(cli("check", tmp_path), "has no data.yaml")
    assert_refused(cli("check", "nowhere"), "nowhere cannot be read")
    (tmp_path / "a.yaml").write_text("x: 1\n")
    assert_refused(cli("check", "a.yaml"), "no key `train`")


# --- compare-splits --------------------------------------------------------------------------------------------------


def test_compare_splits_shows_shares_and_leaks(cli: Cli, flawed: Path) -> None:
    found = cli("compare-splits", flawed.parent)
    assert found.code == 0
    assert "class [bold]cow" in found.out
    assert "valid: 2 of 7 pictures" in found.out
    answer = only_json(cli("compare-splits", flawed, "--json").out)
    assert {row["split"] for row in answer["sizes"]} == {"train", "valid"}
    assert answer["split_groups"] is None


def test_compare_splits_of_raw_data_shows_what_prepare_would_make(cli: Cli, raw: Path) -> None:
    answer = only_json(cli("compare-splits", raw, "--json").out)
    cli("prepare", raw)
    prepared = only_json(cli("compare-splits", "datasets/prepare", "--json").out)
    sizes = {row["split"]: row["images"] for row in answer["sizes"]}
    assert sizes.pop("mini_train") == 9  # which a look at a data.yaml does not see
    assert sizes == {row["split"]: row["images"] for row in prepared["sizes"]}


def test_compare_splits_counts_groups_on_both_sides(cli: Cli, raw: Path) -> None:
    raw.write_text(raw.read_text() + "groups: [{by: name, pattern: '(.*_\\d{5})\\d'}]\nvalid_fraction: 0.5\n")
    assert cli("prepare", raw).code == 0
    assert only_json(cli("compare-splits", "datasets/prepare", "--json").out)["split_groups"] == 0
    groups = Path("datasets/prepare/groups.csv")
    rows = groups.read_text().splitlines()
    groups.write_text("\n".join([rows[0], *(f"{row.split(',')[0]},0" for row in rows[1:])]))
    assert only_json(cli("compare-splits", "datasets/prepare", "--json").out)["split_groups"] == 1
    groups.write_text("nonsense")
    assert_refused(
        cli("compare-splits", "datasets/prepare")._replace(out=""), "groups.csv is not as `prepare` wrote it"
    )


# --- eda -------------------------------------------------------------------------------------------------------------


def test_eda_writes_a_page_and_tables(cli: Cli, flawed: Path, tmp_path: Path) -> None:
    found = cli("eda", flawed.parent)
    assert found.code == 0
    page = Path(found.out.splitlines()[-1])
    assert page == tmp_path / "eda" / "mine" / "eda.html"
    assert "[bold]cow" in page.read_text()
    assert {path.name for path in page.parent.glob("*.parquet")} == {
        "images.parquet",
        "boxes.parquet",
        "findings.parquet",
    }
    answer = only_json(cli("eda", flawed, "--out", "other", "--json").out)
    assert answer["images"] == 7
    assert Path(answer["page"]).is_file()


def test_eda_does_not_replace_what_is_not_its_own(cli: Cli, flawed: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    assert_refused(cli("eda", flawed, "--out", "other")._replace(out=""), "other")
    assert (tmp_path / "other" / "notes.txt").read_text() == "mine"
