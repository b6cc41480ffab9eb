"""Pictures that look the same although they lie in different splits: they flatter every figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from data_prep.findings import Finding, Kind, Policy
from data_prep.near import Pair, clusters, find_pairs
from data_prep.records import ImageRecord
from data_prep.split import Records, Split

#: The splits that must not share what they show; the others repeat these.
_APART = (Split.TRAIN, Split.VALID, Split.TEST)


def near_clusters(records: Records, distance: int) -> list[int]:
    """Return for every picture the cluster of pictures that look like it, directly or through others."""
    return clusters(len(records), find_pairs([record.thumbnail for record in records], distance))


def find_leaks(splits: Mapping[Split, Records], distance: int, policy: Policy) -> list[Finding]:
    """Find pictures that look the same across ``train``, ``valid`` and ``test``.

    Args:
        splits:
            Pictures per split.
        distance:
            How much two pictures may differ, see :func:`data_prep.near.find_pairs`.
        policy:
            What is done. ``drop`` means pictures of train alone: between valid and test it is ``keep``.

    Returns:
        One finding per picture that looks like one of a later split, in the order train, valid, test; its detail
        names the one that is most like it.
    """
    findings = []
    for place, name in enumerate(_APART):
        mine = splits.get(name, ())
        later = [(other, record) for other in _APART[place + 1 :] for record in splits.get(other, ())]
        applied = Policy.KEEP if policy is Policy.DROP and name is not Split.TRAIN else policy
        for pair in nearest_pairs(mine, [record for _, record in later], distance):
            record, (other_split, other) = mine[pair.first], later[pair.second - len(mine)]
            detail = f"looks the same as {other_split}/{other.file_name} (distance {pair.distance})"
            findings.append(Finding(Kind.NEAR_DUPLICATE, f"{name}/{record.file_name}", detail, record.key, applied))
    return findings


def nearest_pairs(mine: Sequence[ImageRecord], later: Sequence[ImageRecord], distance: int) -> Iterator[Pair]:
    """Pair each of ``mine`` that looks like one of ``later`` with the one that is most like it.

    ``later[0]`` has the index ``len(mine)`` in the pairs.
    """
    nearest: dict[int, Pair] = {}
    sides = ["mine"] * len(mine) + ["later"] * len(later)
    for pair in find_pairs([record.thumbnail for record in (*mine, *later)], distance, sides):
        best = nearest.setdefault(pair.first, pair)
        if pair.distance < best.distance:
            nearest[pair.first] = pair
    return (pair for _, pair in sorted(nearest.items()))
