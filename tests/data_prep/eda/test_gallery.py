from __future__ import annotations

from data_prep.eda.charts import Chart, class_colour
from data_prep.eda.gallery import CHART_CLASSES, build_charts, largest_classes
from data_prep.eda.summary import summarise
from data_prep.eda.tables import build_tables
from data_prep.records import ImageRecord
from tests.data_prep.eda.conftest import NAMES, STRATIFICATION, record, square


def charts_of(records: list[ImageRecord], names: tuple[str, ...]) -> dict[str, list[Chart]]:
    tables = build_tables(records, names, (), {}, STRATIFICATION)
    return build_charts(tables, summarise(tables, "t", [], STRATIFICATION), STRATIFICATION)


def test_every_class_with_boxes_has_its_plots(records: list[ImageRecord]) -> None:
    charts = charts_of(records, (*NAMES, "goat"))
    assert [chart.title for chart in charts["ratio"]] == ["cow", "pig"]  # the most boxes first
    assert [chart.colour for chart in charts["ratio"]] == [class_colour(1), class_colour(0)]
    assert [chart.title for chart in charts["places"]] == ["all classes", "cow", "pig"]
    assert {len(charts[name]) for name in ("counts", "area", "small")} == {2}
    assert len(charts["sizes"]) == 1


def test_the_one_class_of_a_data_set_has_one_heat_map() -> None:
    assert len(charts_of([record("a", square(0, 9))], ("pig",))["places"]) == 1


def test_a_class_without_small_boxes_has_no_plot_of_them() -> None:
    assert charts_of([record("a", square(0, 200))], ("pig",))["small"] == []


def test_of_many_classes_the_largest_are_plotted() -> None:
    names = tuple(f"class {index}" for index in range(80))
    records = [record(f"p{index}", *(square(index, 9) for _ in range(index + 1))) for index in range(80)]
    charts = charts_of(records, names)
    assert [chart.title for chart in charts["ratio"]] == [f"class {79 - rank}" for rank in range(CHART_CLASSES)]


def test_names_of_plots_are_unique_and_safe(records: list[ImageRecord]) -> None:
    names = [chart.name for group in charts_of(records, ("../pig", "co/w")).values() for chart in group]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() for name in names)


def test_classes_are_ordered_by_boxes(records: list[ImageRecord]) -> None:
    tables = build_tables(records, (*NAMES, "goat"), (), {}, STRATIFICATION)
    assert largest_classes(summarise(tables, "t", [], STRATIFICATION)) == [1, 0]


def test_no_boxes_no_plots_of_boxes() -> None:
    charts = charts_of([record("a")], NAMES)
    assert {name: len(group) for name, group in charts.items() if group} == {"sizes": 1}
