"""Pictures that look the same although they lie in different splits: they flatter every figure."""

from __future__ import annotations

from collections.abc import Mapping

from data_prep.findings import Finding, Kind, Policy
from data_prep.near import Pair, clusters, find_pairs
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
    members = [(name, record) for name in _APART for record in splits.get(name, ())]
    thumbnails = [record.thumbnail for _, record in members]
    nearest: dict[int, Pair] = {}
    for pair in find_pairs(thumbnails, distance, [name for name, _ in members]):
        best = nearest.setdefault(pair.first, pair)
        if pair.distance < best.distance:
            nearest[pair.first] = pair
    findings = []
    for index, pair in sorted(nearest.items()):
        name, record = members[index]
        other_split, other = members[pair.second]
        detail = f"looks the same as {other_split}/{other.file_name} (distance {pair.distance})"
        applied = Policy.KEEP if policy is Policy.DROP and name is not Split.TRAIN else policy
        findings.append(Finding(Kind.NEAR_DUPLICATE, f"{name}/{record.file_name}", detail, record.key, applied))
    return findings
