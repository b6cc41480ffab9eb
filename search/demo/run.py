"""Runs the demo: draw, prepare, sweep, export, promote; started again it goes on where it stopped."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from data_prep.config import load_prepare_config
from data_prep.errors import InputError
from data_prep.prepare import prepare
from data_prep.progress import Progress, silent
from data_prep.synthetic import draw_herd
from search.conclusion import SweepResult
from search.config import load_sweep_config
from search.config_files import SWEEP_YAML
from search.display import final_epochs, final_start
from search.options import Options
from search.paths import write_text
from search.promote import PromoteOptions, Promotion, promote
from search.results import export_best
from search.sweep import resume_sweep, run_sweep

CONFIGS = ("prepare.yaml", "hyp.yaml", "space.yaml", "sweep.yaml")
DRAWN = ".drawn"
TRAIN_IMAGES, TRAIN_SEED = 320, 0
TEST_IMAGES, TEST_SEED = 80, 1
FINAL_EPOCHS = 18


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Attributes:
        out:
            Its folder.
        sweep:
            What the sweep found.
        best_hyp:
            The exported hyp YAML.
        promotion:
            The finished weights; None where the sweep was interrupted.
    """

    out: Path
    sweep: SweepResult
    best_hyp: Path | None
    promotion: Promotion | None

    @property
    def test(self) -> dict[str, Any]:
        """Metrics of the finished weights on the herd that was never trained on."""
        found: dict[str, Any] = self.promotion.metrics["test"] if self.promotion else {}
        return found


def run_demo(out: str | Path, options: Options | None = None, progress: Progress = silent) -> DemoResult:
    """Draw a herd in the AI Hub archive format, prepare it, sweep, export the best hyp and promote it.

    Args:
        out:
            The demo's folder.
        options:
            How the sweep is run.
        progress:
            Told of every picture that is prepared.

    Raises:
        InputError: ``out`` holds something else.
        WorkFailedError: A step failed; started again, the demo goes on there.
    """
    options, out = options or Options(), Path(out).absolute()
    _lay_out(out)
    _draw(out, options)
    options.say("preparing the data set")
    prepare(load_prepare_config(out / "prepare.yaml"), out / "data", progress)
    sweep = _sweep(out / "sweep", out / "sweep.yaml", options)
    if sweep.interrupted:
        return DemoResult(out, sweep, None, None)
    best_hyp = export_best(sweep.run_dir)
    promotion = promote(sweep.run_dir, _promote_options(options))
    return DemoResult(out, sweep, best_hyp, promotion)


def _lay_out(out: Path) -> None:
    """Copy the demo's configurations, for the user to read and to try his own changes on."""
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / CONFIGS[0]).is_file()):
        raise InputError(f"{out} is not empty and holds no demo: choose another folder with --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made ({error.strerror}); choose another folder with --out.") from error
    for name in CONFIGS:
        if not (out / name).exists():
            write_text(out / name, files("search.demo").joinpath(name).read_text(encoding="utf-8"))


def _draw(out: Path, options: Options) -> None:
    for folder, images, seed in ((out / "raw", TRAIN_IMAGES, TRAIN_SEED), (out / "raw_test", TEST_IMAGES, TEST_SEED)):
        if not (folder / DRAWN).exists():
            options.say(f"drawing {images} pictures of pigs and cows into {folder}")
            draw_herd(folder, images=images, seed=seed)
            (folder / DRAWN).touch()


def _sweep(run_dir: Path, config: Path, options: Options) -> SweepResult:
    if (run_dir / SWEEP_YAML).is_file():
        options.say(f"going on with the sweep in {run_dir}")
        return resume_sweep(run_dir, options=options)
    return run_sweep(load_sweep_config(config), run_dir, options)


def _promote_options(options: Options) -> PromoteOptions:
    shown = options.console
    return PromoteOptions(
        confirm=None,  # rounds of seeds are no matter of minutes
        epochs=FINAL_EPOCHS,
        address=options.address,
        on_start=None if shown is None else final_start(shown),
        on_epoch=None if shown is None else final_epochs(shown),
        on_finish=options.say,
    )
