"""What ``hypsweep silver`` shows when it is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data_prep.text import printable
from search.display import say

if TYPE_CHECKING:
    from trainable.silver.summary import SilverSummary

_LINES = {
    "offered": "pictures looked at",
    "gold_with_boxes_added": "gold, with boxes added",
    "gold_with_nothing_new": "gold, nothing new in them",
    "new_taken": "new, taken",
    "without_few": "too few boxes: gold as they were, new ones left out",
    "without_leak": "look like a picture of val or test: as they were, or left out",
    "without_repeated": "offered twice",
    "without_unreadable": "cannot be read: left out",
}
_CLASSES = 20  # classes that a table on a screen has room for
_EXAMPLES = 5  # pictures of each reason that a screen shows one by one


def silver_summary(console: Console, found: SilverSummary) -> None:
    """Pictures by what became of them, boxes by class, what was left out, and what to do next."""
    counts = found.counts()
    table = Table("", "pictures", title=escape(str(found.data.parent)))
    for name, line in _LINES.items():
        if counts.get(name):
            table.add_row(line, str(counts[name]))
    console.print(table)
    train, gold = (found.manifest.splits[name] for name in ("train", "gold"))
    boxes = Table("class", "gold boxes", "silver boxes", title="train")
    for name in found.manifest.names[:_CLASSES]:
        boxes.add_row(escape(printable(name)), str(gold.boxes[name]), str(found.added[name]))
    boxes.add_section()
    boxes.add_row(f"{train.images} pictures", str(sum(gold.boxes.values())), str(sum(found.added.values())))
    console.print(boxes)
    for line in (*_left_out(found), *_notes(found)):
        say(console, line)
    say(console, f"data set: {found.data}")
    say(console, "its `train` is gold and silver, its `gold` is gold alone; next: name it as `data` in")
    say(console, "configs/comparisons/silver.yaml, and `hypsweep compare` says which of them trains the better model")


def _left_out(found: SilverSummary) -> Iterator[str]:
    for each in found.left_out[:_EXAMPLES]:
        yield f"left out of the gold data set: {each.file}: {each.reason}"
    shown: dict[str, int] = {}
    for judged in found.judged:
        offer = judged.offer
        if offer.reason is None or offer.reason.name == "FEW":
            continue
        shown[offer.reason] = shown.get(offer.reason, 0) + 1
        if shown[offer.reason] <= _EXAMPLES:
            yield f"no silver labels: {printable(offer.name)}: {offer.detail}"
    more = sum(max(0, count - _EXAMPLES) for count in (*shown.values(), len(found.left_out)))
    if more:
        yield f"... and {more} more; {found.data.with_name('silver.csv')} lists all pictures"


def _notes(found: SilverSummary) -> Iterator[str]:
    if found.seen_val:
        yield (
            "warning: these weights were trained on pictures of val; their predictions carry what val taught, and a "
            "gain measured on val is flattered: take weights trained on train alone, such as the checkpoint that "
            "`hypsweep promote` keeps of its confirmation"
        )
    elif found.seen_val is None:
        yield (
            "note: nothing beside the weights says what they were trained on; if val was among it, a gain measured on "
            "val is flattered"
        )
    if not sum(found.added.values()):
        yield "note: no box was added; a lower --confidence or a higher --merge-iou adds some"
    if found.capped:
        kept = found.manifest.config["silver"]["candidates_per_picture"]
        yield f"note: {found.capped} pictures had more than {kept} candidates; the most confident {kept} were kept"
    few = [each.offer for each in found.judged if each.offer.reason and each.offer.reason.name == "FEW"]
    new = sum(not offer.gold for offer in few)
    if new:
        floor = found.manifest.config["silver"]["floor"]
        yield (
            f"note: a search of thresholds on this data set cannot bring back the {new} new pictures with too few "
            f"boxes; for that make it with --confidence {floor:g} --min-boxes 1"
        )
