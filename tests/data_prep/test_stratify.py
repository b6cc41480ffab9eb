from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.stratify import choose

labels = st.frozensets(st.sampled_from("abcdef"), min_size=1)


@settings(max_examples=40, deadline=None)
@given(pictures=st.lists(labels, min_size=2, max_size=60), data=st.data())
def test_single_pictures_fit_exactly(pictures: list[frozenset[str]], data: st.DataObject) -> None:
    target = data.draw(st.integers(1, len(pictures) - 1))
    assert choose(pictures, range(len(pictures)), target, 7).sum() == target


@settings(max_examples=40, deadline=None)
@given(
    pictures=st.lists(st.tuples(labels, st.integers(0, 9)), min_size=2, max_size=60),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
def test_groups_stay_whole_and_their_numbers_do_not_matter(
    pictures: list[tuple[frozenset[str], int]], seed: int, data: st.DataObject
) -> None:
    target = data.draw(st.integers(1, len(pictures) - 1))
    found = choose([present for present, _ in pictures], [group for _, group in pictures], target, seed)
    inside = {group for (_, group), is_in in zip(pictures, found, strict=True) if is_in}
    assert not inside & {group for (_, group), is_in in zip(pictures, found, strict=True) if not is_in}
    renamed = choose([present for present, _ in pictures], [-17 * group for _, group in pictures], target, seed)
    assert np.array_equal(found, renamed)


@pytest.mark.parametrize("target", [1, 3, 10, 37, 50, 63, 99])
def test_every_label_gets_its_share(target: int) -> None:
    pictures = [frozenset({"ab"[i % 2], "cde"[i % 3], "fghij"[i % 5]}) for i in range(300)]
    found = choose(pictures, range(300), 3 * target, 0)
    for label in "abcdefghij":
        having = np.array([label in present for present in pictures])
        assert abs(int(found[having].sum()) - having.sum() * target / 100) < 1


def test_groups_of_one_picture_share_each_label_as_single_pictures_do() -> None:
    """Blocks of four that are alike: the share of labels counts pictures, not groups."""
    pictures = [frozenset({"ab"[(i // 4) % 2]}) for i in range(400)]
    found = choose(pictures, [i // 4 for i in range(400)], 80, 3)
    assert found.sum() == 80
    assert found[[present == {"a"} for present in pictures]].sum() == 40


def test_without_any_label_the_size_still_fits() -> None:
    assert choose([frozenset({"background"})] * 9, range(9), 2, 0).sum() == 2
