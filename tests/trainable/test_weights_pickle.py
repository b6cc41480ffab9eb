"""Files that would fill the memory, end the process, or are no weights: refused before torch sees them."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import InputError
from tests.trainable.hostile import Code, archive, entry, name, number, numbers, ordered, storage, tensor, text
from trainable.weights import load_state
from trainable.weights_archive import open_archive
from trainable.weights_pickle import check_pickle

pytestmark = pytest.mark.timeout(60)
MEGABYTE = 2**20
# Loads no torch: what is refused here has been refused before torch was asked. 1 GiB is what it may take.
CHECK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
from trainable.weights_archive import open_archive
from trainable.weights_pickle import check_pickle
for path in sys.argv[1:]:
    try:
        with open(path, "rb") as file:
            archive = open_archive(file)
        check_pickle(archive.pickle, archive.storages, ["torch.nn.modules.container.Sequential"])
        print("passed", path)
    except Exception as error:
        print(type(error).__name__)
assert "torch" not in sys.modules
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # in kB
print(int(peak.split()[1]) // 1024)
"""


def encoded(times: int) -> bytes:
    """A string whose length doubles with every step."""
    value = text("ab")
    for _ in range(times):
        value = name("_codecs", "encode") + value + text("utf-16") + b"\x86R"
    return value


BOMBS: dict[str, Callable[[Path], Path]] = {
    "tensor beyond its storage": lambda p: archive(
        p, entry(tensor(storage("0", 1), 0, numbers(10**12), numbers(1))), {"0": bytes(4)}
    ),
    "storage that is not there": lambda p: archive(p, entry(storage("0", 10**12)), {"0": bytes(4)}),
    "storage without an entry": lambda p: archive(p, entry(storage("7", 10**12))),
    "offset": lambda p: archive(p, entry(tensor(storage("0", 1), 10**12, numbers(1), numbers(1))), {"0": bytes(4)}),
    "stride": lambda p: archive(
        p, entry(tensor(storage("0", 1), 0, numbers(2, 2), numbers(1, 10**12))), {"0": bytes(4)}
    ),
    "negative stride": lambda p: archive(
        p, entry(tensor(storage("0", 1), 0, numbers(2), numbers(-1))), {"0": bytes(4)}
    ),
    "bytearray": lambda p: archive(p, entry(name("builtins", "bytearray") + number(10**12) + b"\x85R")),
    "codecs": lambda p: archive(p, entry(encoded(60))),
    "array": lambda p: archive(p, entry(name("numpy", "zeros") + number(10**12) + b"\x85R")),
    "compressed": lambda p: archive(
        p, entry(b"N"), {"0": bytes(50 * MEGABYTE)}, compression=zipfile.ZIP_DEFLATED
    ),
    "deep key": lambda p: archive(p, Code().add(b"}", b")", b"\x85" * 300_000, b"Ns").bytes()),
    "long pickle": lambda p: archive(p, Code().add(b"N0" * 10 * MEGABYTE).bytes()),
    "long memo": lambda p: archive(p, Code().add(b"Nr\xff\xff\xff\xffNNb").bytes()),
    "short": lambda p: archive(p, b"\x80\x02X\xff\xff\xff\x7fab."),
    "empty": lambda p: archive(p, b""),
}  # fmt: skip


def test_small_files_never_become_large(tmp_path: Path) -> None:
    paths = [str(make(tmp_path / f"{index}.pt")) for index, make in enumerate(BOMBS.values())]

    done = subprocess.run([sys.executable, "-c", CHECK, *paths], capture_output=True, text=True, check=False)

    *outcomes, peak = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert dict(zip(BOMBS, outcomes, strict=True)) == dict.fromkeys(BOMBS, "ValueError")
    assert int(peak) < 200


@pytest.mark.parametrize("bomb", BOMBS)
def test_the_message_names_the_file_in_one_sentence(tmp_path: Path, bomb: str) -> None:
    path = BOMBS[bomb](tmp_path / "w.pt")

    with pytest.raises(InputError, match=r"^[^\n]*w\.pt: is no YOLOv5 checkpoint \([^\n]+\); give a \.pt file[^\n]*$"):
        load_state(path)


def test_a_view_that_repeats_one_number_is_refused(tmp_path: Path) -> None:
    wide = tensor(storage("0", 1), 0, numbers(10**9), numbers(0))

    with pytest.raises(InputError, match="overlap"):
        load_state(archive(tmp_path / "w.pt", entry(wide), {"0": bytes(4)}))


def test_tensors_that_share_their_numbers_are_refused(tmp_path: Path) -> None:
    shared = torch.zeros(1000)
    torch.save({f"model.{index}.weight": shared for index in range(50)}, tmp_path / "w.pt")

    with pytest.raises(InputError, match="overlap"):
        load_state(tmp_path / "w.pt")


@pytest.mark.parametrize("depth", [40, 2000])
def test_modules_nested_without_end_are_refused(tmp_path: Path, depth: int) -> None:
    def module(inner: bytes) -> bytes:
        sequential = name("torch.nn.modules.container", "Sequential") + b")\x81"
        return sequential + b"}" + text("_modules") + b"}" + text("model") + inner + b"ssb"

    steps = b"N"
    for _ in range(depth):
        steps = module(steps)
    with pytest.raises(InputError, match="nested"):
        load_state(archive(tmp_path / "w.pt", entry(steps, "model")))


def test_modules_that_hold_each_other_twice_are_refused(tmp_path: Path) -> None:
    """Thirty modules, each twice in the next: a billion when they are walked."""
    sequential = name("torch.nn.modules.container", "Sequential") + b")\x81"
    steps = sequential + b"q\x00"
    for index in range(30):
        twice = text("a") + b"h" + bytes([index]) + text("b") + b"h" + bytes([index])
        steps += sequential + b"}" + text("_modules") + b"}(" + twice + b"usbq" + bytes([index + 1])
    last = b"}" + text("keep") + b"(" + steps + b"t" + b"s" + text("model") + b"h\x1es"
    content = Code().add(last).bytes()

    with pytest.raises(InputError, match="too many"):
        load_state(archive(tmp_path / "w.pt", content))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: torch.zeros(3, dtype=torch.complex64), "ComplexFloatStorage"),
        (lambda: torch.zeros(3).to_sparse(), "_rebuild_sparse_tensor"),
        (lambda: torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8), "_rebuild_qtensor|QInt8"),
        (lambda: torch.zeros(3, device="meta"), "_rebuild_meta_tensor"),
        (lambda: torch.tensor([1.0, float("nan")]), "NaN or infinite"),
        (lambda: torch.tensor([1.0, float("inf")]).half(), "NaN or infinite"),
        (lambda: "a text", "is no tensor"),
        (lambda: {"a": torch.zeros(2)}, "is no tensor"),
        (lambda: torch.nn.Parameter, "Parameter"),
    ],
)
@pytest.mark.parametrize("form", ["state_dict", "module"])
def test_what_is_no_weight_is_named(tmp_path: Path, make: Callable[[], object], named: str, form: str) -> None:
    if form == "module":
        inner, outer = torch.nn.Conv2d(1, 1, 1), torch.nn.Sequential()
        inner.__dict__["_parameters"]["weight"] = make()
        outer.__dict__["_modules"]["model"] = inner
        torch.save({"model": outer}, tmp_path / "w.pt")
    else:
        torch.save({"model.0.conv.weight": make()}, tmp_path / "w.pt")

    with pytest.raises(InputError, match=named):
        load_state(tmp_path / "w.pt")


def test_what_torch_saves_passes(tmp_path: Path) -> None:
    """Numbers, views, shared storages, an optimizer's state: the checks hold back nothing of a training."""
    weight = torch.nn.Parameter(torch.zeros(4, 6))
    optimizer = torch.optim.AdamW([weight])
    weight.grad = torch.ones(4, 6)
    optimizer.step()
    content = {
        "views": [weight.data[1:3, ::2], weight.data.T, torch.zeros(1).expand(5), torch.zeros(0, 3)],
        "types": [torch.zeros(2, dtype=t) for t in (torch.half, torch.bfloat16, torch.int64, torch.uint8, torch.bool)],
        "plain": (None, True, -1, 2**70, 0.5, "ä", {1: {2}}, torch.Size([1, 2]), torch.float16),
        "optimizer": optimizer.state_dict(),
        "parameter": weight,
        "wide": torch.zeros(1, 2, 3, 4).to(memory_format=torch.channels_last),
    }
    torch.save(content, tmp_path / "w.pt")

    with (tmp_path / "w.pt").open("rb") as file:
        found = open_archive(file)
        check_pickle(found.pickle, found.storages, ())

    assert len(found.storages) > 10


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("small") / "w.pt"
    torch.save({"model": torch.nn.Sequential(), "ema": {"model.0.weight": torch.arange(9.0)}}, path)
    torch.save({"model.0.weight": torch.arange(9.0), "model.1.bias": torch.ones(2).half()}, path)
    return path.read_bytes()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_is_an_input_error_or_harmless(
    small: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, len(small) - 1))
    change = data.draw(st.one_of(st.just("cut"), st.integers(1, 255)))
    damaged = small[:position] if change == "cut" else bytearray(small)
    if isinstance(damaged, bytearray):
        damaged[position] ^= int(change)
    path = tmp_path_factory.getbasetemp() / "damaged.pt"
    path.write_bytes(damaged)
    with contextlib.suppress(InputError):  # it says so; and where it does not, it was a byte of the padding
        state = load_state(path)
        assert torch.equal(state["model.0.weight"], torch.arange(9.0))
        assert torch.equal(state["model.1.bias"], torch.ones(2))


def test_a_tensor_that_is_marked_as_a_folder_is_refused(small: bytes, tmp_path: Path) -> None:
    """Torch would read nothing of it, and give what the memory held before."""
    path, damaged = tmp_path / "w.pt", bytearray(small)
    with zipfile.ZipFile(io.BytesIO(small)) as file:
        record = small.index(b"w/data/1", file.start_dir) - 46  # of its entry in the central directory
    damaged[record + 38] |= 0x10
    path.write_bytes(damaged)

    with pytest.raises(InputError, match="marked as a folder"):
        load_state(path)


def test_ordered_dictionaries_carry_only_their_metadata(tmp_path: Path) -> None:
    bad = ordered() + b"}" + text("update") + number(1) + b"sb"

    with pytest.raises(InputError, match="state of what is no module"):
        load_state(archive(tmp_path / "w.pt", entry(bad)))
