from __future__ import annotations

import io
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from data_prep.eda.charts import (
    PALETTE,
    Chart,
    area_chart,
    counts_chart,
    place_chart,
    ratio_chart,
    size_chart,
    small_chart,
    to_png,
    to_svg,
)

RNG = np.random.default_rng(0)
AREAS = 10 ** RNG.uniform(1, 5.5, 2000)
CHARTS = {
    "counts": counts_chart("counts-0", "pig", 0, RNG.integers(0, 20, 500), (8, 13)),
    "ratio": ratio_chart("ratio-0", "pig", 0, RNG.random(2000), 0.6),
    "area": area_chart("area-0", "pig", 0, AREAS, (10, 4e5), (100, 1000, 10_000)),
    "small": small_chart("small-0", "pig", 0, AREAS, 4000, (100, 1000, 10_000)),
    "places": place_chart("places-0", "pig", 0, RNG.random(2000), RNG.random(2000), 0.5),
    "sizes": size_chart("sizes", "sizes", {(640, 480): 10, (1920, 1080): 300}),
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_plot_is_svg_in_the_colours_of_the_page_without_ids_and_addresses(chart: Chart) -> None:
    svg = to_svg(chart)
    root = ElementTree.fromstring(svg)
    assert root.tag == "svg"
    assert "width" not in root.attrib
    assert "currentColor" in svg
    assert "metadata" not in svg
    assert "#010203" not in svg
    assert "#040506" not in svg
    assert 'id="figure' not in svg
    assert not re.search(r'(href|src)="(?!#|data:)|url\((?!#)|http', svg)
    assert len(re.findall(r'\bid="', svg)) == len(set(re.findall(r'\bid="([^"]*)"', svg)))


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_plot_is_the_same_again(chart: Chart) -> None:
    assert to_svg(chart) == to_svg(chart)
    assert to_png(chart) == to_png(chart)


def test_the_user_settings_of_matplotlib_change_nothing_and_stay() -> None:
    before = to_svg(CHARTS["ratio"])
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 30, "text.usetex": True}):
        assert to_svg(CHARTS["ratio"]) == before
        assert mpl.rcParams["axes.facecolor"] == "red"


def test_a_plot_of_many_boxes_is_no_larger() -> None:
    few, many = (ratio_chart("ratio-0", "pig", 0, RNG.random(count), 0.6) for count in (1000, 1_000_000))
    assert len(to_svg(many)) < 1.1 * len(to_svg(few))


@pytest.mark.parametrize("title", ["<script>", "$\\frac{a}$", "a & b", "100 %"])
def test_a_title_is_never_read_as_markup(title: str) -> None:
    chart = ratio_chart("ratio-0", title, 0, RNG.random(10), 0.6)
    assert title not in to_svg(chart)
    png = Image.open(io.BytesIO(to_png(chart)))
    assert png.size == (506, 297)
    assert "Software" not in png.info


def heights(chart: Chart) -> tuple[list[float], list[float], list[float]]:
    """What a histogram shows: its heights, its edges and the places of its marks."""
    axes = Figure().add_subplot()
    chart.draw(axes)
    values, edges, _ = axes.patches[0].get_data()  # type: ignore[attr-defined]  # a StepPatch
    return list(values), list(edges), [float(line.get_xdata()[0]) for line in axes.lines]  # type: ignore[index]


def test_counts_are_bars_from_one_with_marks_between_the_bins() -> None:
    values, edges, marks = heights(counts_chart("c", "pig", 0, np.array([0, 0, 1, 1, 3, 8]), (4, 6)))
    assert edges == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5]
    assert values == [2, 0, 1, 0, 0, 0, 0, 1]
    assert marks == [3.5, 5.5]


def test_a_count_beyond_sixty_shares_its_bar_and_none_is_lost() -> None:
    counts = RNG.integers(1, 1000, 5000)
    values, edges, _ = heights(counts_chart("c", "pig", 0, counts, (4, 6)))
    assert len(values) <= 60
    assert sum(values) == 5000
    assert edges[-1] > counts.max()


def test_ratios_are_marked_at_both_thresholds() -> None:
    values, _, marks = heights(ratio_chart("r", "pig", 0, np.array([0.0, 0.5, 1.0]), 0.7))
    assert sum(values) == 3
    assert marks == pytest.approx([0.3, 0.7])


def test_no_box_falls_off_the_scale_of_areas() -> None:
    areas = np.array([0.0, 0.5, 1.0, 99.0, 5e6])
    values, edges, marks = heights(area_chart("a", "pig", 0, areas, (0.0, 5e6), (100, 1000)))
    assert sum(values) == 5
    assert edges[0] == 1
    assert marks == [100, 1000]


def test_small_boxes_include_the_largest_small_one() -> None:
    values, _, marks = heights(small_chart("s", "pig", 0, np.array([5.0, 4000.0, 4000.5]), 4000, (100, 1000, 10_000)))
    assert sum(values) == 2
    assert marks == [100, 1000]


def test_the_heat_map_has_its_origin_at_the_upper_left() -> None:
    axes = Figure().add_subplot()
    place_chart("p", "pig", 0, np.array([0.99, 0.99]), np.array([0.01, 0.01]), 0.5).draw(axes)
    shown = np.asarray(axes.images[0].get_array())
    assert shown[0, -1] == 2
    assert shown.sum() == 2
    assert axes.images[0].get_extent() == [0, 1, 1, 0]


def test_colours_are_told_apart() -> None:
    assert len(set(PALETTE)) == len(PALETTE) == 12


@pytest.mark.timeout(60)  # a fresh interpreter imports numpy, pandas and matplotlib
def test_pyplot_is_never_imported() -> None:
    """It would open windows and keep figures."""
    code = "import sys, data_prep.eda; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
