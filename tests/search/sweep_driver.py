"""A driver in a process of its own, for tests to kill: ``python -m tests.search.sweep_driver run|resume|join FOLDER``.

Prints one JSON line last. Exit codes are those of the command line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from data_prep.errors import HypsweepError
from search.config import load_sweep_config
from search.sweep import Options, resume_sweep, run_sweep
from tests.search.quadratic_trainable import QuadraticTrainable


def main(command: str, folder: Path) -> int:
    options = Options(trainable=QuadraticTrainable, console=Console(file=sys.stderr))
    try:
        if command == "run":
            result = run_sweep(load_sweep_config(folder / "sweep.yaml"), folder / "run", options)
        else:
            result = resume_sweep(folder / "run", options=options, join=command == "join")
    except HypsweepError as error:
        print(json.dumps({"error": str(error)}))
        return error.exit_code
    print(json.dumps({"interrupted": result.interrupted, "states": result.states, "next": result.resume_command}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
