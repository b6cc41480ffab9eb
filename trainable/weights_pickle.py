"""The inside of a ``.pt`` file: its pickle, gone through step by step without importing or calling anything in it.

``torch.load(weights_only=True)`` refuses names that are not on its list, and calls those that are: with YOLOv5's
classes allowed, a pickle may call ``DetectionModel({...})``, whose ``parse_model`` evaluates the strings that it is
given. It also makes a tensor of any size that a few bytes claim. So :func:`check_pickle` is passed first. It knows the
steps that ``torch.save`` writes, keeps plain values and notes in place of objects, and holds every tensor against the
storage that it lies in.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

ITEM_BYTES = {
    "BFloat16Storage": 2, "BoolStorage": 1, "ByteStorage": 1, "CharStorage": 1, "DoubleStorage": 8, "FloatStorage": 4,
    "HalfStorage": 2, "IntStorage": 4, "LongStorage": 8, "ShortStorage": 2,
}  # fmt: skip
"""Storages of plain numbers; complex and quantized ones are no weights."""
DTYPES = ("bfloat16", "bool", "float16", "float32", "float64", "int16", "int32", "int64", "int8", "uint8")
ARRAYS = frozenset({
    "numpy.dtype", "numpy.ndarray", "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
    *(f"numpy.dtypes.{kind}DType" for kind in ("Float32", "Float64", "Int32", "Int64", "Bool")),
})  # fmt: skip
"""What pickled NumPy arrays and numbers name; YOLOv5 keeps class weights and its best fitness as such."""
_SCALARS = (str, int, float, type(None))


@dataclass(frozen=True)
class _Name:
    """A global name; it is never looked up."""

    name: str


@dataclass
class _Noted:
    """Stands for an object."""

    name: str


class _Ordered(dict[Any, Any]):
    """Stands for an OrderedDict, which may carry torch's ``_metadata``."""


@dataclass(frozen=True)
class _Storage:
    count: int


def check_pickle(content: bytes, storages: Mapping[str, int], classes: Collection[str]) -> frozenset[str]:
    """Go through a pickle.

    Args:
        content:
            The pickle, protocol 2 as ``torch.save`` writes it.
        storages:
            Size of each tensor storage in bytes, by key.
        classes:
            Full names of the module classes that it may name.

    Returns:
        The full names in it.

    Raises:
        ValueError: It does anything else than build dictionaries, lists, numbers, strings, tensors inside of their
            storages, and modules; the message says what.
    """
    steps = _Steps(storages, classes)
    try:
        steps.run(content)
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its pickle is damaged ({type(error).__name__})") from error
    return frozenset(steps.named)


class _Steps:
    """A pickle machine without effects."""

    def __init__(self, storages: Mapping[str, int], classes: Collection[str]) -> None:
        self.storages, self.classes = storages, frozenset(classes)
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.named: set[str] = set()
        self.calls: dict[str, Callable[..., Any]] = {
            "collections.OrderedDict": _ordered,
            "torch._utils._rebuild_tensor_v2": _tensor,
            "torch._utils._rebuild_parameter": _parameter,
            "torch.Size": tuple,
            "__builtin__.set": _set,
            "builtins.set": _set,
            "_codecs.encode": _bytes,
        }
        self.known = {*self.calls, *classes, *ARRAYS, *(f"torch.{x}" for x in (*ITEM_BYTES, *DTYPES))}

    def run(self, content: bytes) -> None:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in _VALUES:
                self.stack.append(_VALUES[opcode.name](argument))
            elif opcode.name in _ACTIONS:
                _ACTIONS[opcode.name](self, argument)
            elif opcode.name == "STOP":
                self.stack.pop()
            else:
                raise ValueError(f"its pickle holds the step {opcode.name}, which torch.save never writes")

    def name(self, argument: str) -> None:
        name = ".".join(argument.split(" ", 1))
        if name.startswith("ultralytics."):
            raise ValueError("it is a checkpoint of the ultralytics package (YOLOv8 or later), not of YOLOv5")
        if name not in self.known:
            raise ValueError(f"it names {name[:80]!a}, which no YOLOv5 checkpoint needs")
        self.named.add(name)
        self.stack.append(_Name(name))

    def call(self, _: object) -> None:
        arguments, called = self.stack.pop(), self.stack[-1]
        if not isinstance(called, _Name) or type(arguments) is not tuple:
            raise ValueError("it calls what is no name")
        if called.name in ARRAYS:
            self.stack[-1] = _Noted(called.name)
        elif called.name not in self.calls:
            raise ValueError(f"it calls {called.name}, which no YOLOv5 checkpoint does")
        else:
            self.stack[-1] = self.calls[called.name](*arguments)

    def create(self, _: object) -> None:
        arguments, cls = self.stack.pop(), self.stack.pop()
        if not isinstance(cls, _Name) or cls.name not in self.classes or arguments != ():
            raise ValueError("it creates what is no module")
        self.stack.append(_Noted(cls.name))

    def build(self, _: object) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        if isinstance(built, _Ordered) and type(state) is dict and set(state) <= {"_metadata"}:
            return
        if not isinstance(built, _Noted) or built.name not in self.classes | ARRAYS:
            raise ValueError("it sets the state of what is no module")
        if built.name in self.classes and not (type(state) is dict and all(type(key) is str for key in state)):
            raise ValueError(f"it gives {built.name} a state that is none of a module")

    def storage(self, _: object) -> None:
        sign, kind, key, where, count = self.stack.pop()
        item = ITEM_BYTES.get(kind.name.removeprefix("torch."))
        if sign != "storage" or item is None or type(where) is not str or type(count) is not int:
            raise ValueError("it names a storage that torch.save does not write")
        if self.storages.get(key) != count * item:
            raise ValueError(f"its storage {key!a} has another size than it claims")
        self.stack.append(_Storage(count))

    def pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marked.pop()
        return items

    def mark(self, _: object) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def wrap(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        if len(items) < count:
            raise IndexError
        self.stack[-count:] = [items]

    def extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise ValueError("it appends to what is no list")
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        target, keys = self.stack[-1], items[::2]
        # Hashing a tuple of tuples of tuples ... ends a process; no checkpoint has such keys.
        if type(target) not in (dict, _Ordered) or not all(type(key) in (*_SCALARS, bool) for key in keys):
            raise ValueError("it fills what is no dictionary of plain keys")
        target.update(zip(keys, items[1::2], strict=True))


_VALUES: dict[str, Callable[[Any], Any]] = {
    "NONE": lambda _: None, "NEWTRUE": lambda _: True, "NEWFALSE": lambda _: False,
    "EMPTY_TUPLE": lambda _: (), "EMPTY_LIST": lambda _: [], "EMPTY_DICT": lambda _: {},
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "BINFLOAT", "BINUNICODE", "LONG1"), lambda value: value),
}  # fmt: skip


def _pop_two(steps: _Steps) -> list[Any]:
    value, key = steps.stack.pop(), steps.stack.pop()
    return [key, value]


def _put(steps: _Steps, index: int) -> None:
    steps.memo[index] = steps.stack[-1]


def _get(steps: _Steps, index: int) -> None:
    steps.stack.append(steps.memo[index])


def _protocol(_: _Steps, version: int) -> None:
    if version != 2:
        raise ValueError(f"its pickle has protocol {version}, and torch.save writes 2")


def _close_tuple(steps: _Steps, _: object) -> None:
    items = steps.pop_mark()
    steps.stack.append(tuple(items))


_ACTIONS: dict[str, Callable[[_Steps, Any], None]] = {
    "PROTO": _protocol,
    "GLOBAL": _Steps.name,
    "REDUCE": _Steps.call,
    "NEWOBJ": _Steps.create,
    "BUILD": _Steps.build,
    "BINPERSID": _Steps.storage,
    "MARK": _Steps.mark,
    "TUPLE": _close_tuple,
    "TUPLE1": lambda steps, _: steps.wrap(1),
    "TUPLE2": lambda steps, _: steps.wrap(2),
    "TUPLE3": lambda steps, _: steps.wrap(3),
    "APPEND": lambda steps, _: steps.extend([steps.stack.pop()]),
    "APPENDS": lambda steps, _: steps.extend(steps.pop_mark()),
    "SETITEM": lambda steps, _: steps.update(_pop_two(steps)),
    "SETITEMS": lambda steps, _: steps.update(steps.pop_mark()),
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "BINGET": _get,
    "LONG_BINGET": _get,
}


def _ordered() -> _Ordered:
    return _Ordered()


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any) -> _Noted:  # noqa: ANN401  # of a pickle
    """Checks that a tensor lies inside of its storage; torch would enlarge the storage."""
    numbers = (offset, *size, *stride)
    if not isinstance(storage, _Storage) or not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("it holds a tensor that torch.save does not write")
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if 0 not in size and last >= storage.count:
        raise ValueError("it holds a tensor that is larger than its storage")
    if type(grad) is not bool or type(hooks) is not _Ordered or hooks:
        raise ValueError("it holds a tensor with hooks")
    return _Noted("torch.Tensor")


def _parameter(data: Any, grad: Any, hooks: Any) -> _Noted:  # noqa: ANN401  # of a pickle
    if not isinstance(data, _Noted) or data.name != "torch.Tensor" or type(grad) is not bool or hooks:
        raise ValueError("it holds a parameter that is no tensor, or has hooks")
    return data


def _set(items: Any = ()) -> _Noted:  # noqa: ANN401  # of a pickle
    if not all(type(item) in (*_SCALARS, bool) for item in items):
        raise ValueError("it holds a set of something else than plain values")
    return _Noted("set")


def _bytes(text: Any, encoding: Any) -> _Noted:  # noqa: ANN401  # of a pickle
    if type(text) is not str or encoding != "latin1":  # other codecs make gigabytes of a few calls
        raise ValueError("it encodes something else than bytes")
    return _Noted("bytes")
