"""The plots of a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from optuna.trial import FrozenTrial, TrialState

from data_prep.eda.charts import PALETTE, Chart
from search.goals.record import first_goal, values_by_epoch
from search.parameters import CategoricalParameter, FixedParameter, FloatParameter, IntParameter
from search.report.facts import Facts, curve, progress

_MOST_CURVES = 300
"""More lines than that hide each other; those of the best trials and an even choice of the rest are drawn."""
_Searched = FloatParameter | IntParameter | CategoricalParameter
_DECADES_ALONE = 500.0
"""A logarithmic axis over a wider span than this has marks at powers of ten alone."""
_STATES = {
    TrialState.COMPLETE: ("ran to the end", PALETTE[0]),
    TrialState.PRUNED: ("stopped early", PALETTE[1]),
    TrialState.RUNNING: ("at work or waiting", PALETTE[2]),
    TrialState.FAIL: ("failed", PALETTE[4]),
}


def curves_chart(facts: Facts) -> Chart:
    """Every trial's metric by epoch; the best one thick, the hyp that the sweep started from dashed."""
    shown = _chosen(facts)

    def draw(axes: Axes) -> None:
        for trial in shown:
            epochs, values = curve(trial)
            marker = "." if len(epochs) == 1 else ""
            axes.plot(epochs, values, marker=marker, color=_STATES[trial.state][1], linewidth=0.7, alpha=0.5)
        thick = [(facts.trials[0], (0, (4, 2))), *([(facts.best.trial, "-")] if facts.best else [])]
        for trial, style in thick:
            axes.plot(*curve(trial), color=_STATES[trial.state][1], linewidth=2.2, linestyle=style)
        axes.set(xlabel="epoch", ylabel=facts.config.metric, xlim=(0.8, facts.config.epochs + 0.2))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        _legend(axes, shown)

    return Chart("curves", "Learning curves: thick the best trial, dashed the start", "", draw)


def progress_chart(facts: Facts) -> Chart | None:
    """Best full training so far by epochs trained; None before the first."""
    epochs, values = progress(facts)
    if not values:
        return None
    start = first_goal(facts.trials[0]).get(facts.config.epochs)

    def draw(axes: Axes) -> None:
        axes.step(epochs, values, where="post", color=PALETTE[0], linewidth=1.8, marker="o", markersize=3)
        if start is not None:
            ink = axes.xaxis.label.get_color()
            axes.axhline(start, color=ink, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set(xlabel="epochs trained, all trials", ylabel=f"best {facts.config.metric}", xlim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))

    return Chart("progress", "Best full training so far; dashed: the hyp that the sweep started from", "", draw)


def front_chart(facts: Facts) -> Chart | None:
    """The first two goals of the trials that went as far as the front, with the front; None where there is none."""
    if not facts.front:
        return None
    reached = [values_by_epoch(trial).get(facts.front[0].epoch) for trial in facts.trials]
    others = [values for values in reached if values is not None]

    def draw(axes: Axes) -> None:
        axes.scatter([v[0] for v in others], [v[1] for v in others], s=12, color=PALETTE[1], alpha=0.6, lw=0)
        front = sorted(each.values for each in facts.front)
        axes.plot([v[0] for v in front], [v[1] for v in front], marker="o", markersize=4, color=PALETTE[0], lw=1.2)
        axes.set(xlabel=facts.config.goals[0].metric, ylabel=facts.config.goals[1].metric)

    return Chart("front", "The front, and the other trials that were trained as long", "", draw)


def parameter_charts(facts: Facts) -> list[Chart]:
    """For every parameter, its values and what they reached: full trainings large, others small at their last epoch."""
    return [
        _parameter_chart(facts, name, parameter)
        for name, parameter in facts.space.parameters.items()
        if not isinstance(parameter, FixedParameter)
    ]


def _parameter_chart(facts: Facts, name: str, parameter: _Searched) -> Chart:
    # FAIL has no value that means anything.
    drawn = [t for t in facts.trials if name in t.params and curve(t)[1] and t.state != TrialState.FAIL]

    def draw(axes: Axes) -> None:
        choices = [str(choice) for choice in parameter.choices] if isinstance(parameter, CategoricalParameter) else []
        if isinstance(parameter, CategoricalParameter):
            axes.set_xticks(range(len(choices)), [f"{place}" for place in range(1, len(choices) + 1)])
            axes.set_xlim(-0.5, len(choices) - 0.5)
        else:
            _scale(axes, parameter)
        for trial in drawn:
            full = trial.state == TrialState.COMPLETE
            x = choices.index(str(trial.params[name])) if choices else trial.params[name]
            axes.scatter(x, curve(trial)[1][-1], s=22 if full else 7, color=_STATES[trial.state][1], alpha=0.7, lw=0)
        if facts.best is not None and name in facts.best.trial.params:
            ink, value = axes.xaxis.label.get_color(), facts.best.trial.params[name]
            axes.axvline(choices.index(str(value)) if choices else value, color=ink, lw=0.9, ls=(0, (4, 3)))
        axes.set(ylabel=facts.config.metric)
        axes.yaxis.set_major_locator(MaxNLocator(5))

    title = name
    if isinstance(parameter, CategoricalParameter):
        title += ": " + ", ".join(f"{place} {choice}" for place, choice in enumerate(parameter.choices, 1))
    return Chart(f"parameter-{name}", title, "", draw)


def _scale(axes: Axes, parameter: FloatParameter | IntParameter) -> None:
    low, high = parameter.low, parameter.high
    if parameter.log:
        axes.set_xscale("log")
        axes.set_xlim(low / (high / low) ** 0.02, high * (high / low) ** 0.02)
        steps = (1.0,) if high / low > _DECADES_ALONE else (1.0, 2.0, 5.0)
        axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=9))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        margin = 0.02 * (high - low) or 0.5
        axes.set_xlim(low - margin, high + margin)


def _chosen(facts: Facts) -> Sequence[FrozenTrial]:
    """The trials whose curves are drawn, the best last, on top of the others."""
    sign = 1 if facts.maximize else -1
    reached = [trial for trial in facts.trials if curve(trial)[0]]
    ranked = sorted(reached, key=lambda t: (max(curve(t)[0]), sign * curve(t)[1][-1]))
    if len(ranked) <= _MOST_CURVES:
        return ranked
    half = _MOST_CURVES // 2
    places = np.linspace(0, len(ranked) - half - 1, half).astype(int)
    return [ranked[place] for place in places] + ranked[-half:]


def _legend(axes: Axes, shown: Sequence[FrozenTrial]) -> None:
    present = {trial.state for trial in shown}
    handles = [Line2D([], [], color=colour, label=label) for s, (label, colour) in _STATES.items() if s in present]
    if handles:
        axes.legend(handles=handles, loc="lower right", fontsize=8, frameon=False)
