"""``hypsweep``: each command is a thin shell over one documented Python call."""

from __future__ import annotations

import json
import logging
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer
from rich.console import Console

from data_prep.errors import HypsweepError, StoppedError
from search.arguments import Address, Json, Run
from search.compare_cli import compare
from search.data_cli import add_data_commands
from search.flow_cli import run as run_flow
from search.known.use import As
from search.model_cli import add_model_commands
from search.promotion_cli import add_promotion_commands

if TYPE_CHECKING:
    from search.config import SweepConfig

app = typer.Typer(
    name="hypsweep",
    help="Find the best hyperparameters for a YOLOv5 detector on your own pictures, and train it with them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"hypsweep {version('hypsweep')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001  its callback acts
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Find the best hyperparameters for a YOLOv5 detector on your own pictures, and train it with them."""
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the demo.")] = Path("runs/demo"), address: Address = None
) -> None:
    """Draw a herd and do the whole job on it: prepare, sweep, confirm, train, score; on a CPU in minutes."""
    from search.demo import run_demo
    from search.flow_display import flow_summary, flow_watch

    console = Console()
    with flow_watch(console, address) as watch:
        found = run_demo(out, watch)
    flow_summary(console, found)


app.command("run")(run_flow)
add_data_commands(app)


@app.command()
def sweep(
    config: Annotated[Path, typer.Argument(help="YAML that says what is swept.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the sweep; runs/<name> if absent.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a dotted key, e.g. train.epochs=20."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure an epoch, say what the sweep will take, and end.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: one JSON object on stdout.")] = False,
    address: Address = None,
) -> None:
    """Search the hyperparameters."""
    from search.config import load_sweep_config
    from search.display import sweep_options, sweep_summary

    if as_json and not dry_run:
        raise click.UsageError("--json goes with --dry-run alone", click.get_current_context())
    console, loaded = Console(), load_sweep_config(config, set_ or ())
    if dry_run:
        _show_estimate(console, loaded, out or Path("runs") / loaded.name, address, as_json=as_json)
        return
    from search.sweep import run_sweep  # loads Ray, which takes seconds; a wrong config is said before

    result = run_sweep(loaded, out or Path("runs") / loaded.name, sweep_options(console, address))
    sweep_summary(console, result)
    _exit_if_interrupted(result.interrupted)


@app.command()
def resume(
    run: Run,
    trials: Annotated[int | None, typer.Option(help="Trials to add to those that were planned.")] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A new budget, e.g. hours=12; what was spent before counts."),
    ] = None,
    join: Annotated[bool, typer.Option("--join", help="Work beside a driver that is at work on the sweep.")] = False,
    widen: Annotated[Path | None, typer.Option(help="YAML of the same space with wider ranges, to go on in.")] = None,
    address: Address = None,
) -> None:
    """Go on with a sweep: after a crash or Ctrl-C, with more trials, budget or space, or beside its driver."""
    from search.display import sweep_options, sweep_summary
    from search.sweep import resume_sweep

    console = Console()
    result = resume_sweep(run, trials, sweep_options(console, address), budget or (), join=join, space=widen)
    sweep_summary(console, result)
    _exit_if_interrupted(result.interrupted)


@app.command()
def status(run: Run, as_json: Json = False) -> None:
    """Show the trials of a sweep and the best so far; its driver may be at work."""
    from search.display import status_table
    from search.status import sweep_status

    found = sweep_status(run)
    if as_json:
        _print_json(found.as_dict())
    else:
        status_table(Console(), found)


@app.command()
def report(
    run: Run,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write; report.html if absent.")] = None,
) -> None:
    """Write one HTML page of a sweep: curves, rungs, parameters, trials; its driver may be at work."""
    from search.report import write_report

    typer.echo(write_report(run, out))


@app.command()
def export(
    run: Run,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write; best_hyp.yaml if absent.")] = None,
    trial: Annotated[int | None, typer.Option(help="Number of the trial; the best if absent.")] = None,
    as_json: Json = False,
) -> None:
    """Write the best hyp, or a chosen one, as a YAML for `yolov5 train --hyp`."""
    from search.results import export_best

    path = export_best(run, out, trial)
    if as_json:
        _print_json({"hyp": str(path)})
    else:
        typer.echo(path)


@app.command("import")
def import_(
    run: Run,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Hyp YAMLs, evolve.csv, results.csv, folders of sweeps, study.journal, or storage URLs with #study.",
        ),
    ],
    top: Annotated[
        int | None, typer.Option(min=1, help="Best K of each; 5 if absent, of hyps and results all.")
    ] = None,
    as_: Annotated[
        As, typer.Option("--as", help="`enqueue`: try them anew; `results`: finished trials of the same data.")
    ] = As.ENQUEUE,
    clip: Annotated[bool, typer.Option("--clip", help="Move values outside the space to its bounds.")] = False,
    as_json: Json = False,
) -> None:
    """Bring configs that are known from elsewhere into a sweep that is not running."""
    from search.display import import_summary
    from search.importing import import_known
    from search.known.config import known_configs

    report = import_known(run, known_configs(files, top=top, as_=as_, clip=clip))
    if as_json:
        _print_json(report.as_dict())
    else:
        import_summary(Console(), report)


add_promotion_commands(app)
app.command()(compare)
add_model_commands(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: runs the command; a wrong input ends with 2, failed work with 1, each in one sentence.

    Args:
        arguments:
            What stands behind ``hypsweep``; None takes it from the command line. ``--debug`` may stand anywhere.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    others = [argument for argument in given if argument != "--debug"]
    debug = len(others) < len(given)
    try:
        # Not standalone: an error of usage is to look like any other. Returns the code of a `typer.Exit`.
        code = app(["--debug", *others] if debug else others, prog_name="hypsweep", standalone_mode=False)
        if code == StoppedError.exit_code:  # what typer makes of Ctrl-C, without a word
            sys.stderr.write("stopped.\n")
        sys.exit(code)
    except SystemExit as error:
        if error.code == signal.SIGTERM:  # how Ray's handler leaves, from its start on
            _end(error, "stopped.", StoppedError.exit_code, debug=debug)
        raise
    except click.exceptions.NoArgsIsHelpError as error:
        _end(error, error.format_message(), error.exit_code, debug=False)
    except click.UsageError as error:
        _end(error, f"error: {_usage(error)}", error.exit_code, debug=debug)
    except (StoppedError, click.Abort) as error:  # the second is what click makes of Ctrl-C
        _end(error, str(error) or "stopped.", StoppedError.exit_code, debug=debug)
    except HypsweepError as error:
        _end(error, f"error: {error}", error.exit_code, debug=debug)
    # Whatever else happens is a fault of hypsweep or of the machine; a traceback is no message for its user.
    except Exception as error:
        text = f"error: {type(error).__name__}: {error} (run it again with `hypsweep --debug ...` for the traceback)"
        _end(error, text, 1, debug=debug)


def _usage(error: click.UsageError) -> str:
    """A mistake in the command line itself, with where to look it up."""
    command = error.ctx.command_path if error.ctx else "hypsweep"
    text = error.format_message().rstrip(".")
    return f"{text[:1].lower()}{text[1:]}: see `{command} --help`."


def _end(error: BaseException, message: str, code: int, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    sys.stderr.write(message + "\n")
    sys.exit(code)


def _exit_if_interrupted(interrupted: bool) -> None:
    if interrupted:
        sys.exit(StoppedError.exit_code)  # no `typer.Exit`: the summary has said it


def _show_estimate(console: Console, config: SweepConfig, out: Path, address: str | None, *, as_json: bool) -> None:
    from search.budget.display import estimate_table
    from search.budget.dry_run import dry_run
    from search.display import sweep_options

    found = dry_run(config, out, sweep_options(console, address))
    if as_json:
        _print_json(found.as_dict())
    else:
        estimate_table(console, found)


def _print_json(values: dict[str, Any]) -> None:
    typer.echo(json.dumps(values, allow_nan=False))


if __name__ == "__main__":
    main()
