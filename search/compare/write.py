"""The files of a comparison that are there to be read: a table as Markdown, and every training as CSV."""

from __future__ import annotations

from search.compare.ledger import ComparisonLedger
from search.compare.result import ComparisonResult
from search.compare.words import HEAD, cells, duration, number, settings, title, verdicts
from search.confirm.result import trainings_table
from search.paths import write_text
from search.promotion.markdown import section, table, text

TABLE, RESULTS = "table.md", "results.csv"
_INTERVALS = (
    "An interval holds for all arms, both ends and all looks at once with 95 %. A mean is over all seeds of its arm, "
    "a gain over those that it shares with the reference."
)


def write_files(found: ComparisonResult, ledger: ComparisonLedger) -> None:
    """Write ``table.md`` and ``results.csv`` into the comparison's folder."""
    write_text(found.run_dir / TABLE, markdown(found))
    write_text(found.run_dir / RESULTS, trainings_table(ledger, "arm", ledger.plan.name).to_csv(index=False))


def markdown(found: ComparisonResult) -> str:
    """The comparison on one page."""
    standings = table(HEAD, [cells(found, row) for row in found.rows])
    lines = [
        f"# {text(found.name)}",
        "",
        text(title(found)) + ".",
        "",
        f"Gains are over {text(found.reference.arm)}, over the same seeds. {_INTERVALS}",
        "",
        *standings,
        "",
        *(f"- {text(line)}" for line in (*verdicts(found), *found.failures)),
        "",
        *section("What the arms set", table(("arm", "sets"), [(row.arm, settings(row.sets)) for row in found.rows])),
        *section("Means over the seeds", _means(found)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _means(found: ComparisonResult) -> list[str]:
    names = list(dict.fromkeys(name for row in found.rows for name in row.quality))
    rows = [
        [
            row.arm,
            *(number(row.quality.get(name)) for name in names),
            number(row.sd),
            "" if row.seconds is None else duration(row.seconds),
        ]
        for row in found.rows
    ]
    return table(("arm", *names, f"sd of {found.metric}", "time of a training"), rows)
