"""The commands about a sweep's winner: ``confirm`` and ``promote``."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console

from search.arguments import Address, Json, Run
from search.confirm.undecided import Undecided

_TopK = Annotated[int | None, typer.Option(help="Best trials to compare with the default hyp; 3 in a new one.")]
_Seeds = Annotated[int | None, typer.Option(help="Seeds of the first round; 2 in a new one.")]
_MaxSeeds = Annotated[int | None, typer.Option(help="Seeds at most; 6 in a new one.")]
_UNDECIDED = 1


def add_promotion_commands(app: typer.Typer) -> None:
    """Add the commands about a winner to an application, in the order in which one needs them."""
    app.command()(confirm)
    app.command()(promote)


def confirm(
    run: Run,
    top_k: _TopK = None,
    seeds: _Seeds = None,
    max_seeds: _MaxSeeds = None,
    epochs: Annotated[int | None, typer.Option(help="Of each training; the sweep's in a new one.")] = None,
    metric: Annotated[str | None, typer.Option(help="What decides; the sweep's metric in a new one.")] = None,
    smallest_gain: Annotated[float | None, typer.Option(help="Gain worth having; 0.01 in a new one.")] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Put an earlier confirmation aside; take new seeds.")] = False,
    as_json: Json = False,
    address: Address = None,
) -> None:
    """Train the best trials and the default hyp with new seeds; ends with 1 where the seeds do not decide."""
    from search.confirm.display import confirmation_summary
    from search.confirm.options import ConfirmOptions
    from search.confirm.run import confirm as run_confirmation
    from search.confirm.verdict import Verdict
    from search.display import sweep_options

    console = Console(stderr=as_json)
    asked = ConfirmOptions(
        top_k=top_k,
        seeds=seeds,
        max_seeds=max_seeds,
        epochs=epochs,
        metric=metric,
        smallest_gain=smallest_gain,
        anew=anew,
    )
    found = run_confirmation(run, asked, sweep_options(console, address))
    if as_json:
        typer.echo(json.dumps(found.as_dict(), allow_nan=False))
    else:
        confirmation_summary(console, found)
    if found.verdict == Verdict.UNDECIDED:
        raise typer.Exit(_UNDECIDED)


def promote(
    run: Run,
    trial: Annotated[
        int | None, typer.Option(help="Number of the trial, which is not confirmed; the confirmed one if absent.")
    ] = None,
    top_k: _TopK = None,
    seeds: _Seeds = None,
    max_seeds: _MaxSeeds = None,
    undecided: Annotated[
        Undecided, typer.Option(help="Where the seeds do not decide: stop, or take the default hyp, or the best mean.")
    ] = Undecided.STOP,
    no_confirm: Annotated[bool, typer.Option("--no-confirm", help="Take the best trial as it is.")] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of the final training; the sweep's if absent.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Share the final training: a GPU each, or cores.")] = 1,
    sync_bn: Annotated[bool, typer.Option("--sync-bn", help="Batch normalisation over all workers (GPUs).")] = False,
    max_megabytes: Annotated[float, typer.Option(help="Largest weights file, in 10^6 bytes.")] = 100.0,
    onnx: Annotated[
        bool, typer.Option("--onnx/--no-onnx", help="Write weights.onnx, too, and run it beside PyTorch.")
    ] = True,
    threshold_metric: Annotated[
        str, typer.Option(help="By what thresholds are chosen: score75, f1, precision@recall=R ...")
    ] = "score75",
    address: Address = None,
) -> None:
    """Confirm the best hyp, train it on the full data set and write finished weights."""
    from search.confirm.display import confirmation_summary
    from search.confirm.options import ConfirmOptions
    from search.display import final_epochs, final_start, promotion_summary, say
    from search.promote import PromoteOptions
    from search.promote import promote as run_promotion

    console = Console()
    chosen = PromoteOptions(
        trial=trial,
        confirm=None if no_confirm else ConfirmOptions(top_k=top_k, seeds=seeds, max_seeds=max_seeds),
        undecided=undecided,
        epochs=epochs,
        workers=workers,
        sync_bn=sync_bn,
        max_megabytes=max_megabytes,
        address=address,
        console=console,
        on_confirmed=lambda found: confirmation_summary(console, found),
        on_start=final_start(console),
        on_epoch=final_epochs(console),
        onnx=onnx,
        threshold_metric=threshold_metric,
        on_finish=lambda line: say(console, line),
    )
    promotion_summary(console, run_promotion(run, chosen))
