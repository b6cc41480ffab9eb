"""Runs the demo: draws two herds, and from there it is a flow; started again it goes on where it stopped."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from data_prep.errors import InputError
from data_prep.synthetic import draw_herd
from search.flow.config import load_flow_config
from search.flow.run import FlowResult, run_flow
from search.flow.step import Watch
from search.paths import write_text

CONFIGS = ("flow.yaml", "prepare.yaml", "hyp.yaml", "space.yaml", "sweep.yaml")
DRAWN = ".drawn"
TRAIN_IMAGES, TRAIN_SEED = 320, 0
TEST_IMAGES, TEST_SEED = 80, 1


def run_demo(out: str | Path, watch: Watch | None = None) -> FlowResult:
    """Draw herds in the AI Hub archive format, prepare them, sweep, confirm, promote and score.

    Args:
        out:
            The demo's folder.
        watch:
            How it is run and who is told.

    Raises:
        InputError: ``out`` holds something else.
        StoppedError: The user pressed Ctrl-C.
        WorkFailedError: A step failed; started again, the demo goes on there.
    """
    out = Path(out).absolute()
    _lay_out(out)
    watch = watch or Watch()
    _draw(out, watch)
    return run_flow(load_flow_config(out / CONFIGS[0]), out, watch)


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


def _draw(out: Path, watch: Watch) -> None:
    for folder, images, seed in ((out / "raw", TRAIN_IMAGES, TRAIN_SEED), (out / "raw_test", TEST_IMAGES, TEST_SEED)):
        if not (folder / DRAWN).exists():
            watch.say(f"drawing {images} pictures of pigs and cows into {folder}")
            draw_herd(folder, images=images, seed=seed)
            (folder / DRAWN).touch()
