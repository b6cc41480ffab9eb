"""What finished weights are and what they can do: the sections of a model card about files, data and figures."""

from __future__ import annotations

from data_prep.dataset import PREPARED
from data_prep.manifest import FILES_NAME, Manifest
from search.confirm.plan import TRAIN as TRAINED_ON
from search.promotion.facts import CardFacts
from search.promotion.markdown import inline, number, section, table, text
from search.promotion.publish import HYP, METRICS, ONNX, THRESHOLDS, TRAIN, WEIGHTS
from search.results import QUALITY

_SHOWN = QUALITY[1:]
"""Without fitness, which is a mixture of the others."""


def about(facts: CardFacts) -> list[str]:
    """What the model is, in a table."""
    found, size, model = facts.metrics, facts.settings.image_size, text(facts.settings.model)
    names = ", ".join(f"{index} {text(name)}" for index, name in enumerate(facts.data.names))
    intro = (
        f"A YOLOv5 detector ({model}, {size} px), trained by hypsweep on all pictures of its data set with the "
        f"hyperparameters of {facts.winner} of the sweep {text(facts.config.name)}."
    )
    file = f"Written {found['date']}. Weights: {found['megabytes']:.1f} MB, sha256 `{found['weights_sha256']}`."
    return [f"# {text(facts.config.name)}: {model}", "", intro, "", f"Classes: {names}.", "", file, ""]


def files(facts: CardFacts) -> list[str]:
    """What lies beside the card."""
    rows = [
        (WEIGHTS, "EMA weights in fp16; `yolov5 detect --weights`, `yolov5 val --weights`, `hypsweep predict`"),
        (ONNX, "the same in fp32, for onnxruntime, OpenCV and others; boxes before NMS"),
        (HYP, "the hyperparameters, `yolov5 train --hyp`"),
        (TRAIN, "every setting of the final training"),
        (THRESHOLDS, "confidence and NMS; `hypsweep predict` takes it by itself"),
        (METRICS, "all figures of this page and more, for programs"),
    ]
    there = {ONNX: facts.onnx is not None, THRESHOLDS: facts.thresholds.content is not None}
    return section(
        "Files",
        [
            "| file | content |",
            "| --- | --- |",
            *(f"| `{name}` | {what} |" for name, what in rows if there.get(name, True)),
        ],
        f"`{WEIGHTS}` is a pickle, as stock YOLOv5 wants it: load it with stock YOLOv5 only if you trust its origin.",
    )


def data(facts: CardFacts) -> list[str]:
    """The data set: counts and hashes."""
    place, used = f"Data set: {inline(facts.data.file)}", f"The weights were trained on `{facts.settings.train_split}`"
    if facts.manifest is not None:
        return section("Data", f"{place}, prepared by hypsweep. {used}.", *_prepared(facts.manifest, facts))
    counts = [(split, len(facts.data.images(split))) for split in facts.data.splits]
    return section(
        "Data",
        f"{place}, a stock one without `{PREPARED}`, so no hashes of pictures and labels are known; sha256 of it: "
        f"`{facts.metrics['data_sha256']}`. {used}; `full` is train and val where the file has no such key.",
        table(("split", "pictures"), counts),
    )


def _prepared(manifest: Manifest, facts: CardFacts) -> tuple[list[str], list[str]]:
    """Counts and hashes of a prepared data set."""
    rows = [
        (name, each.images, each.background, *(each.boxes.get(kind, 0) for kind in manifest.names))
        for name, each in manifest.splits.items()
    ]
    hashes = (
        (f"`{PREPARED}`", facts.metrics["data_sha256"]),
        ("raw data", manifest.inputs_sha256),
        (f"`{FILES_NAME}`: every picture, label and list", manifest.files_sha256),
    )
    return (
        table(("split", "pictures", "without a box", *(f"boxes: {name}" for name in manifest.names)), rows),
        ["| sha256 of | |", "| --- | --- |", *(f"| {name} | `{digest}` |" for name, digest in hashes)],
    )


def figures(facts: CardFacts) -> list[str]:
    """How good the weights are, by pictures that they never saw."""
    seen = (
        "**This model has seen `val`.** It was trained on train and val together: its figures on either say nothing of "
        "new pictures."
    )
    test = facts.metrics["test"]
    if test is None:
        return section("Figures", seen, "There are none: the data set has no test split.")
    rows = [("all", *(number(test[name]) for name in _SHOWN))]
    rows += [(name, *(number(own[metric]) for metric in _SHOWN)) for name, own in test["per_class"].items()]
    return section(
        "Figures",
        seen,
        "On the split `test`, which it never saw, in fp32, image by image, as `yolov5 val --batch_size 1` has it:",
        table(("class", *_SHOWN), rows),
    )


def thresholds(facts: CardFacts) -> list[str]:
    """Which boxes to take."""
    content = facts.thresholds.content
    if content is None:
        return section(
            "Thresholds",
            f"None were chosen: {text(facts.thresholds.reason).rstrip('.')}. `hypsweep predict` takes those of "
            "`yolov5 detect`; to choose, give `hypsweep thresholds` weights that were trained on `train` alone.",
        )
    chosen, default, gain = content["chosen"], content["values"]["default"], content["gain"]
    rows = [(name, default[name], value) for name, value in chosen.items()]
    rows.append((content["metric"], number(default["value"]), number(content["values"]["chosen"]["value"])))
    return section(
        "Thresholds",
        f"Chosen by {text(content['metric'])} on `{content['split']}` ({content['images']} pictures) at "
        f"{content['image_size']} px, with weights of the same hyp that were trained on `{TRAINED_ON}` alone:",
        table(("", "default of val", "chosen"), rows),
        f"Gain on pictures that they were not chosen on: {number(gain['value'], '+')} (95 % interval "
        f"{number(gain['low'], '+')} to {number(gain['high'], '+')}).",
        [f"- {text(note)}" for note in content["notes"]],
    )


def onnx(facts: CardFacts) -> list[str]:
    """The ONNX file and how far it is off."""
    if facts.onnx is None:
        return []
    check, (height, width) = facts.onnx.check, facts.onnx.image_size
    return section(
        "ONNX",
        f"`{ONNX}` takes `images` (1, 3, {height}, {width}), float32, RGB, 0 to 1, and gives `output0` (1, anchors, "
        f"{5 + len(facts.data.names)}): centre x and y, width, height in pixels, objectness, class confidences. NMS is "
        "not in it.",
        f"Largest difference from PyTorch over {check.compared} boxes, of noise and {check.pictures} pictures: "
        f"{check.boxes:.2g} px (allowed {check.allowed.boxes:g}) and {check.confidences:.2g} in confidence (allowed "
        f"{check.allowed.confidences:g}).",
    )
