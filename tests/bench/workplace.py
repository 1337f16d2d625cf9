"""Where the benchmark works: a folder that it removes, and processes that it sees to the end of."""

import contextlib
import json
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import sphinx_djconn

ROOT = Path(__file__).parents[2]
INSIDE = Path(__file__).parent / "inside"
MARK = "BENCH_MARK"
LONGEST = 600.0
"""Seconds that one process of the benchmark may take."""

_NOT_INHERITED = ("PYTHON", "DJANGO_", "DJCONN_", "SPHINX", "COVERAGE")


class BenchError(Exception):
    """A contender did not do what it was to do: its figures would mean nothing."""


class Build(NamedTuple):
    """What a build took: seconds of the clock and of processors, and Sphinx's own peak of memory."""

    seconds: float
    cpu: float
    megabytes: float


@dataclass
class Workplace:
    """A folder with two copies of the demo site; ``quick`` asks for less of everything."""

    folder: Path
    mark: str
    quick: bool = False
    profile: Path | None = None

    @property
    def site(self) -> Path:
        """The project that the extension runs."""
        return self.folder / "site"

    @property
    def ready_site(self) -> Path:
        """The project that scripts run, with a database that is migrated already."""
        return self.folder / "ready"

    @property
    def temporary(self) -> Path:
        return self.folder / "t"

    def repeated(self, full: int, quick: int = 1) -> int:
        """Return how often something is measured."""
        return quick if self.quick else full

    def environ(self, **variables: str) -> dict[str, str]:
        """Return the variables of a contender's processes: bytecode is written and used by all."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        common = {"TMPDIR": str(self.temporary), MARK: self.mark, "NO_PROXY": "*", "no_proxy": "*"}
        return inherited | common | variables

    def run(self, command: Sequence[str | Path], cwd: Path | None = None) -> Build:
        """Run ``command`` to its end, with nothing to be seen of it unless it fails."""
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        with self.process(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                output, _ = process.communicate(timeout=LONGEST)
            except subprocess.TimeoutExpired as error:
                raise BenchError(f"{command} took more than {LONGEST:g} seconds") from error
        seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode != 0:
            end = output.decode(errors="replace")[-20_000:]
            raise BenchError(f"{command} ended with {process.returncode}:\n{end}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Build(seconds, cpu, 0.0)

    @contextlib.contextmanager
    def process(
        self, command: Sequence[str | Path], *, environ: dict[str, str] | None = None, **options: object
    ) -> "Iterator[subprocess.Popen[bytes]]":
        """Yield a process that is gone afterwards, with all that it has started in its group."""
        process = subprocess.Popen(
            [str(word) for word in command],
            env=environ or self.environ(),
            start_new_session=True,
            **options,  # type: ignore[call-overload]
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def build(self, docs: Path, builder: str = "html", *, fresh: bool = False, again: bool = False) -> Build:
        """Build ``docs`` with Sphinx.

        ``fresh`` forgets everything that an earlier build has left; ``again`` reads and writes every page.
        """
        doctrees, out = docs.with_name(f"{docs.name}.doctrees"), docs.with_name(f"{docs.name}.{builder}")
        if fresh:
            shutil.rmtree(doctrees, ignore_errors=True)
            shutil.rmtree(out, ignore_errors=True)
        told = self.folder / "told.json"
        profile = "" if self.profile is None else str(self.profile / f"{docs.name}.prof")
        options = ["-q", "-T", "-W", "--keep-going", "-b", builder, *(["-E", "-a"] if again else [])]
        sphinx = [*options, "-d", doctrees, docs, out]
        taken = self.run([sys.executable, INSIDE / "build.py", told, profile, *sphinx])
        return taken._replace(megabytes=json.loads(told.read_text("utf-8"))["megabytes"])

    def left_behind(self) -> list[str]:
        """Return what contenders have left: processes, and files in the folder for temporary ones."""
        return [*(name for _, name in self._processes()), *(path.name for path in self.temporary.iterdir())]

    def clear(self) -> None:
        """Kill what is left of the processes, and remove the temporary files."""
        for pid, _ in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for path in self.temporary.iterdir():
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)

    def _processes(self) -> Iterator[tuple[int, str]]:
        mark = f"{MARK}={self.mark}".encode()
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in path.joinpath("environ").read_bytes().split(b"\0"):
                    words = path.joinpath("cmdline").read_bytes().split(b"\0")
                    yield int(path.name), b" ".join(words).decode(errors="replace")


@contextlib.contextmanager
def workplace(*, quick: bool, profile: Path | None) -> Iterator[Workplace]:
    """Yield a workplace in which everything is prepared and compiled."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    place = Workplace(folder, secrets.token_hex(8), quick, profile)
    try:
        place.temporary.mkdir()
        for site in (place.site, place.ready_site):
            _copy_site(site)
        manage = [sys.executable, place.ready_site / "manage.py"]
        place.run([*manage, "migrate", "--verbosity", "0"])
        place.run([*manage, "loaddata", "polls", "--verbosity", "0"])
        _compile(place)
        yield place
    finally:
        place.clear()
        shutil.rmtree(folder, ignore_errors=True)


def _copy_site(target: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.sqlite3")
    shutil.copytree(ROOT / "demo_site", target, ignore=ignored)


def _compile(place: Workplace) -> None:
    """Compile all that contenders import: none of them shall win because it was compiled before."""
    package = Path(sphinx_djconn.__file__).parent
    folders = [sysconfig.get_path("purelib"), package, INSIDE, place.site, place.ready_site]
    # A file of a distribution may be meant for another version of Python: that is no failure of ours.
    compiling = [sys.executable, "-m", "compileall", "-q", "-j", "0", *map(str, folders)]
    subprocess.run(
        compiling, env=place.environ(), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
