"""A PostgreSQL server of the tests' own: in a folder that goes with them, reached by a socket in it alone."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

USER = "postgres"
"""Who runs the server where the tests run as root, which it refuses."""


def binaries() -> Path | None:
    """Folder of ``initdb``, ``pg_ctl`` and ``createdb``, Debian's (off the path) among them; None: not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextlib.contextmanager
def server(programs: Path) -> Iterator[Callable[[str], str]]:
    """Start a server; what it yields makes a new database and gives its SQLAlchemy URL."""
    user = USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    with tempfile.TemporaryDirectory(prefix="hypsweep-pg-") as name:
        folder = Path(name)
        shutil.chown(folder, user)

        def run(program: str, *arguments: str) -> None:
            command = [str(programs / program), *arguments]
            identity = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user == USER else {}
            subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60, **identity)

        def database(called: str) -> str:
            run("createdb", "-h", str(folder), "-U", user, called)
            return f"postgresql+psycopg://{user}@/{called}?host={folder}"

        data = str(folder / "data")
        run("initdb", "-D", data, "-U", user, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield database
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
