"""Checkpoints that try to run something: refused, and a sentinel shows that nothing ran."""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import operator
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from data_prep.errors import InputError, WorkFailedError
from tests.trainable.hostile import Call, archive, entry, name, number, ordered, storage, tensor, text
from trainable import weights, yolov5_parts
from trainable.checkpoint import READABLE, read_checkpoint, write_checkpoint
from trainable.weights import build_model, load_state
from trainable.weights_archive import open_archive
from trainable.weights_pickle import check_pickle

pytestmark = pytest.mark.timeout(60)
Gadget = Callable[[Path], Any]
MODULES = {name for _, name in yolov5_parts.pickled_classes()} | {"torch.nn.modules.linear.Linear"}


def touch(sign: Path) -> str:
    return f"touch '{sign}'"


def code(sign: Path) -> str:
    return f"open({str(sign)!r}, 'w').close()"


def definition(sign: Path) -> dict[str, Any]:
    """A model YAML of which ``parse_model`` evaluates a string."""
    module = f"(__import__('os').system({touch(sign)!r}) and 0) or nn.Identity"
    layers = [[-1, 1, module, []]]
    return {"nc": 1, "anchors": 3, "depth_multiple": 1.0, "width_multiple": 1.0, "backbone": layers, "head": []}


def general() -> Any:
    return sys.modules["yolov5.utils.general"]


def evil_file(sign: Path) -> str:
    path = sign.with_suffix(".pickle")
    path.write_bytes(pickle.dumps(Call(os.system, touch(sign))))
    return str(path)


GADGETS: dict[str, Gadget] = {
    "os.system": lambda s: Call(os.system, touch(s)),
    "eval": lambda s: Call(eval, code(s)),
    "exec": lambda s: Call(exec, code(s)),
    "import": lambda s: Call(builtins.__import__, "json.tool"),
    "open": lambda s: Call(open, str(s), "w"),
    "popen": lambda s: Call(subprocess.Popen, touch(s), -1, None, None, None, None, None, True, True),
    "getattr": lambda s: Call(getattr, Path, "touch"),
    "partial": lambda s: functools.partial(os.system, touch(s)),
    "methodcaller": lambda s: Call(operator.methodcaller("touch"), s),
    "map": lambda s: Call(list, map(os.system, [touch(s)])),
    "path": lambda s: Call(Path.touch, s),
    "torch.load": lambda s: Call(torch.load, evil_file(s), None, None),
    "torch.hub": lambda s: Call(torch.hub.load, str(s.parent), "x"),
    "torch.storage": lambda s: Call(torch.storage._load_from_bytes, pickle.dumps(Call(os.system, touch(s)))),
    "torch.jit": lambda s: Call(torch.jit.load, str(s)),
    "numpy.load": lambda s: Call(np.load, evil_file(s), None, True),
    "numpy.fromfile": lambda s: Call(np.fromfile, str(s)),
    "numpy object array": lambda s: np.array([Call(os.system, touch(s))], dtype=object),
    "yolov5 model": lambda s: Call(yolov5_parts.DetectionModel, definition(s)),
    "yolov5 parse_model": lambda s: Call(yolov5_parts.yolo.parse_model, definition(s), [3]),
    "yolov5 backend": lambda s: Call(yolov5_parts.common.DetectMultiBackend, evil_file(s)),
    "yolov5 download": lambda s: Call(general().check_dataset, str(s)),
    "yolov5 run": lambda s: Call(general().check_requirements, [touch(s)]),
    "bytearray": lambda s: Call(bytearray, 10**12),
    "linear layer": lambda s: Call(nn.Linear, 10**6, 10**6),
    "tensor class": lambda s: Call(torch.FloatTensor, 10**12),
}


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    return tmp_path / "ran"


def refused(path: Path, sign: Path, match: str | None = None) -> None:
    with pytest.raises(InputError, match=match) as caught:
        load_state(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not sign.exists()


@pytest.mark.parametrize("gadget", ["os.system", "eval", "exec", "path", "yolov5 model", "numpy object array"])
def test_these_gadgets_do_run_where_nobody_looks(sign: Path, gadget: str) -> None:
    """The control: without it the sentinel would prove nothing."""
    try:
        pickle.loads(pickle.dumps(GADGETS[gadget](sign)))
    except (AttributeError, KeyError, TypeError, IndexError):
        assert gadget == "yolov5 model"  # it ends in an error, after it ran
    assert sign.exists()


@pytest.mark.parametrize("gadget", GADGETS)
def test_a_gadget_is_refused_wherever_it_stands(
    sign: Path, tmp_path: Path, gadget: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = GADGETS[gadget](sign)
    places = [evil, {"model": evil}, {"model.0.conv.weight": torch.zeros(2), "ema": [1, (evil,)]}]
    for place in places:
        torch.save(place, tmp_path / "w.pt")
        refused(tmp_path / "w.pt", sign)
        # Each of the two locks alone holds: the look at the pickle, and torch with stand-ins.
        with (tmp_path / "w.pt").open("rb") as file:
            found = open_archive(file)
        with pytest.raises(ValueError, match=r"^(it|its) "):
            check_pickle(found.pickle, found.storages, MODULES)
        monkeypatch.setattr(weights, "check_pickle", lambda *_: MODULES)
        refused(tmp_path / "w.pt", sign)
        monkeypatch.undo()


def test_a_gadget_inside_an_allowed_module_is_refused(sign: Path, tmp_path: Path) -> None:
    for attribute in ("hyp", "yaml", "_forward_hooks", "_state_dict_hooks", "_buffers", "forward", "names"):
        model = nn.Sequential(nn.Conv2d(1, 1, 1))
        model.__dict__[attribute] = {0: Call(os.system, touch(sign))}
        torch.save({"model": model}, tmp_path / "w.pt")
        refused(tmp_path / "w.pt", sign)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("form", ["archive", "bare", "as safetensors"])
def test_every_pickle_protocol_is_refused(sign: Path, tmp_path: Path, protocol: int, form: str) -> None:
    content = pickle.dumps({"model": Call(os.system, touch(sign))}, protocol)
    path = tmp_path / ("w.safetensors" if form == "as safetensors" else "w.pt")
    if form == "archive":
        archive(path, content)
    else:
        path.write_bytes(content)
    refused(path, sign)


def test_formats_before_torch_1_6_are_refused(sign: Path, tmp_path: Path) -> None:
    torch.save({"model": Call(os.system, touch(sign))}, tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    refused(tmp_path / "w.pt", sign, "torch before 1.6")
    content = pickle.dumps(Call(os.system, touch(sign)))
    with tarfile.open(tmp_path / "t.pt", "w") as tar:
        for member in ("sys_info", "pickle", "storages", "tensors"):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    refused(tmp_path / "t.pt", sign, "no zip archive")


def test_a_torchscript_archive_is_refused(sign: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as file:
        file.writestr("w/data.pkl", entry(b"N"))
        file.writestr("w/constants.pkl", pickle.dumps(Call(os.system, touch(sign))))
    refused(tmp_path / "w.pt", sign, "TorchScript")


def test_build_steps_reach_nothing(sign: Path, tmp_path: Path) -> None:
    """BUILD sets attributes: on modules it is kept and never called, on anything else it is refused."""
    evil = name("posix", "system")
    targets = {
        "function": name("torch._utils", "_rebuild_tensor_v2"),
        "class": name("torch.nn.modules.conv", "Conv2d"),
        "tensor": tensor(storage("0", 1), 0, number(1) + b"\x85", number(1) + b"\x85"),
        "ordered": ordered(),
        "module": name("torch.nn.modules.conv", "Conv2d") + b")\x81",
    }
    for target in targets.values():
        state = b"}" + text("__setstate__") + evil + b"s"
        for built in (target + state + b"b", target + b"}" + text("a") + number(1) + b"s" + state + b"\x86b"):
            refused(archive(tmp_path / "w.pt", entry(built), {"0": bytes(4)}), sign)


def test_the_hooks_of_a_loaded_module_are_never_called(
    sign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Allowed classes as hooks: `state_dict()` would call them."""
    model = nn.Sequential(nn.Conv2d(1, 1, 1))
    model.__dict__["_state_dict_hooks"] = {0: nn.Identity(), 1: nn.Conv2d}
    model.__dict__["_state_dict_pre_hooks"] = {0: nn.Identity()}
    model.__dict__["state_dict"] = nn.Identity()
    holder = nn.Module.__new__(nn.Sequential)
    nn.Module.__init__(holder)
    holder._modules["model"] = model
    torch.save({"model": holder}, tmp_path / "w.pt")

    def called(*_: object, **__: object) -> None:
        sign.touch()

    for method in ("__init__", "__call__", "__setstate__", "__getattr__", "state_dict", "forward"):
        monkeypatch.setattr(nn.Module, method, called)
    state = load_state(tmp_path / "w.pt")

    assert list(state) == ["model.0.weight", "model.0.bias"]
    assert not sign.exists()


@pytest.mark.parametrize("key", ["yaml", "yaml_file", "names", "hyp"])
def test_the_definition_inside_a_checkpoint_is_never_evaluated(sign: Path, tmp_path: Path, key: str) -> None:
    model = build_model("yolov5n", 2)
    command = f"__import__('os').system({touch(sign)!r})"
    model.__dict__[key] = definition(sign) | {"depth_multiple": command, "nc": command, "anchors": command}
    torch.save({"model": model}, tmp_path / "w.pt")

    state = load_state(tmp_path / "w.pt")

    assert state.keys() == model.state_dict().keys()
    assert not sign.exists()


@pytest.mark.parametrize(
    "change", ["escape", "absolute", "backslash", "two pickles", "case", "before", "after", "comment", "encrypted"]
)
def test_archives_that_two_readers_could_read_in_two_ways_are_refused(sign: Path, tmp_path: Path, change: str) -> None:
    path = archive(tmp_path / "w.pt", entry(b"N"))
    names = {
        "escape": "archive/../../ran", "absolute": "/ran", "backslash": "archive\\data.pkl",
        "two pickles": "archive/data.pkl", "case": "archive/DATA.pkl",
    }  # fmt: skip
    if change in names:
        with contextlib.ExitStack() as stack:
            if change == "two pickles":
                stack.enter_context(pytest.warns(UserWarning, match="Duplicate"))
            file = stack.enter_context(zipfile.ZipFile(path, "a"))
            file.writestr(names[change], pickle.dumps(Call(os.system, touch(sign)), 2))
    elif change == "encrypted":
        content = bytearray(path.read_bytes())
        content[content.rindex(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(content)
    elif change == "comment":
        with zipfile.ZipFile(path, "a") as file:
            file.comment = b"PK\x05\x06"
    else:
        content = path.read_bytes()
        path.write_bytes(b"x" + content if change == "before" else content + b"x")
    refused(path, sign)


def test_a_checkpoint_folder_with_a_gadget_and_the_right_digest_is_refused(sign: Path, tmp_path: Path) -> None:
    for gadget in ("os.system", "yolov5 model", "torch.load", "bytearray"):
        write_checkpoint(tmp_path / "c", {"a": GADGETS[gadget](sign)}, {"epoch": 1})
        assert (tmp_path / "c" / READABLE).is_file()

        with pytest.raises(WorkFailedError, match="no whole checkpoint"):
            read_checkpoint(tmp_path / "c")

        assert not sign.exists()
