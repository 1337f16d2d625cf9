"""Documentations of a few lines and Django projects of a few lines, built by the real Sphinx.

A build runs in this process, as ``sphinx-build`` runs it, unless a test has to interrupt it. When a
:class:`Docs` is done with, no process that its builds have started may be left, and no file in the
system's folder for temporary ones.
"""

import io
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from sphinx.cmd.build import build_main

PROMPTLY = float(os.environ.get("DJCONN_END_SECONDS", "8"))
"""Seconds in which a build that is interrupted or killed has ended, with all that it started.

A machine without other work needs less than 2.
"""

WITNESS = "DOCS_UNDER_TEST"
"""An environment variable that every process of a build inherits, and by which it is found."""

_WARNING = re.compile(r"(?:(?P<file>[^\s:][^:\n]*)(?::(?P<line>\d+))?: )?(?:WARNING|ERROR|CRITICAL|SEVERE): ")
_KIND = re.compile(r" \[(?P<kind>[\w.-]+)\]$")

SETTINGS = """
    from pathlib import Path

    SECRET_KEY = "a key that no page may show"
    DEBUG = True
    ROOT_URLCONF = "urls"
    MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": Path(__file__).parent / "db.sqlite3",
        }
    }
"""


def interrupt(process: "subprocess.Popen[str]") -> None:
    """Press Ctrl-C, and assert that the build ends promptly, as Sphinx ends then."""
    begin = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert time.monotonic() - begin < PROMPTLY
    assert process.returncode == 2
    assert "Interrupted!" in output
    assert "Traceback" not in output


class Warned(NamedTuple):
    """A warning: the file (seen from the folder of the pages) and line, the text, ``djconn.run``."""

    file: str
    line: int
    text: str
    kind: str


@dataclass(frozen=True)
class Built:
    """What a build has left: its exit code, what it has said, and its pages."""

    code: int
    status: str
    errors: str
    folder: Path
    source: Path

    @property
    def warnings(self) -> list[Warned]:
        """The warnings in the order in which they came."""
        starts = list(_starts(self.errors))
        ends = [*starts[1:], len(self.errors)]
        return [self._warning(self.errors[a:b]) for a, b in zip(starts, ends, strict=False)]

    def warning(self, file: str, line: int | None = None, *, kind: str | None = None) -> Warned:
        """Return the one warning at this place."""
        found = [
            each
            for each in self.warnings
            if each.file == file and line in (None, each.line) and kind in (None, each.kind)
        ]
        assert len(found) == 1, f"{len(found)} warnings at {file}:{line} in:\n{self.errors}"
        return found[0]

    @property
    def ran(self) -> list[str]:
        """The names of the scenarios that were run, in alphabetical order."""
        return sorted(re.findall(r"running scenarios\.\.\. \[ *\d+%\] ([\w.-]+(?:\[[^\]]*\])?)", self.status))

    def read(self, name: str) -> str:
        """Return the text of a file that was written."""
        return self.folder.joinpath(name).read_text(encoding="utf-8")

    def _warning(self, text: str) -> Warned:
        head = _WARNING.match(text)
        assert head is not None
        body = text[head.end() :].rstrip("\n")
        kind = _KIND.search(body)
        file = head["file"] or ""
        # docutils writes an included file's path as seen from the current directory
        path = Path(file).resolve()
        if file and path.is_relative_to(self.source.resolve()):
            file = path.relative_to(self.source.resolve()).as_posix()
        return Warned(
            file,
            int(head["line"] or 0),
            body if kind is None else body[: kind.start()],
            "" if kind is None else kind["kind"],
        )


def _starts(text: str) -> Iterator[int]:
    position = 0
    for line in text.splitlines(keepends=True):
        if _WARNING.match(line):
            yield position
        position += len(line)


class Docs:
    """A folder of pages, with a conf.py that has our extension and what a test adds to it."""

    def __init__(self, folder: Path, temporary: Path, mark: str) -> None:
        self.folder = folder
        self.source = folder / "pages"
        self.doctrees = folder / "doctrees"
        self.temporary = temporary
        self._mark = mark
        self.source.mkdir(parents=True)
        self.configure()

    def configure(self, **values: Any) -> None:
        """Write conf.py, with values of ours."""
        lines = ['extensions = ["sphinx_djconn"]', 'html_theme = "basic"', 'project = "test"']
        lines += [f"{name} = {value!r}" for name, value in values.items()]
        self.source.joinpath("conf.py").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def page(self, name: str, text: str) -> None:
        """Write a page; ``index`` has a title, and lists the others, unless it is given here."""
        body = textwrap.dedent(text).lstrip("\n")
        path = self.source / (name if "." in name else f"{name}.rst")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
        index = self.source / "index.rst"
        if not index.exists():
            index.write_text("Index\n=====\n\n.. toctree::\n   :glob:\n\n   *\n", encoding="utf-8")

    def line(self, text: str, name: str = "index") -> int:
        """Return the number of the one line of a page that contains ``text``."""
        path = self.source / (name if "." in name else f"{name}.rst")
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [number for number, line in enumerate(lines, 1) if text in line]
        assert len(found) == 1, f"{text!r} is in lines {found}"
        return found[0]

    def project(self, name: str = "site", *, views: str = "", settings: str = "") -> dict[str, str]:
        """Write a Django project, and return what conf.py says of it.

        Its only page, ``/``, answers ``ok``; ``views`` can replace ``index``, and add functions,
        which answer under their names. ``settings`` is put at the end of the settings.
        """
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        prefix = re.sub(r"\W", "_", name)
        module = f"{prefix}_settings"
        body = textwrap.dedent(SETTINGS) + textwrap.dedent(settings)
        folder.joinpath(f"{module}.py").write_text(body, encoding="utf-8")
        folder.joinpath("urls.py").write_text(_URLS, encoding="utf-8")
        body = _VIEWS + textwrap.dedent(views)
        folder.joinpath("views.py").write_text(body, encoding="utf-8")
        return {"path": f"../{name}", "settings": module}

    def command(self, builder: str = "html", *arguments: str) -> list[str]:
        """Return the arguments of ``sphinx-build``."""
        return [
            *("-b", builder, "-d", str(self.doctrees), *arguments),
            *(str(self.source), str(self.folder / builder)),
        ]

    def build(self, builder: str = "html", *arguments: str) -> Built:
        """Build the pages in this process."""
        return self.run(self.command(builder, *arguments))

    def run(self, command: list[str]) -> Built:
        """Do in this process what ``sphinx-build`` does with the arguments ``command``."""
        status, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(status), redirect_stderr(errors):
            code = build_main(command)
        return self._built(code, status.getvalue(), errors.getvalue(), command[1])

    def build_apart(self, builder: str = "html", *arguments: str) -> Built:
        """Build the pages in a process of their own."""
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", *self.command(builder, *arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return self._built(done.returncode, done.stdout, done.stderr, builder)

    @contextmanager
    def building(self, builder: str = "html", *arguments: str) -> "Iterator[subprocess.Popen[str]]":
        """Yield a process, first of a group, that builds the pages, and that a test may interrupt."""
        process = subprocess.Popen(
            [sys.executable, "-m", "sphinx", *self.command(builder, *arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def _built(self, code: int, status: str, errors: str, builder: str) -> Built:
        return Built(code, status, errors, self.folder / builder, self.source)

    def snapshot(self) -> None:
        """Keep everything as it is now, for :meth:`restore`."""
        shutil.copytree(self.folder, self._snapshot, symlinks=True)

    def restore(self) -> None:
        """Have everything as it was, with the times of all changes, for a test that may change it."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._snapshot, self.folder, symlinks=True)

    @property
    def _snapshot(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-snapshot")

    @property
    def recordings(self) -> list[Path]:
        """The recordings that are kept with the doctrees."""
        return sorted(self.doctrees.joinpath("djconn", "recordings").glob("*"))

    def processes(self) -> list[psutil.Process]:
        """Return the processes that builds of these pages have started and that still run."""
        return [each for each in psutil.process_iter() if each.pid != os.getpid() and self._ours(each)]

    def _ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(WITNESS) == self._mark and process.status() != "zombie"
        except psutil.Error:
            return False

    def left_behind(self, seconds: float = 0.0) -> list[str]:
        """Return what builds have left running or lying about, once it is nothing or time is up."""
        limit = time.monotonic() + seconds
        while True:
            left = [str(each) for each in self.processes()]
            left += [path.name for path in self.temporary.iterdir()]
            if not left or time.monotonic() > limit:
                return left
            time.sleep(0.02)


@contextmanager
def documentation(folder: Path, databases: Path) -> Iterator[Docs]:
    """Yield an empty documentation in ``folder``; ``databases`` keeps those that were prepared."""
    # Short, as the system's own: the name of a local socket has about 100 bytes.
    temporary = Path(tempfile.mkdtemp(prefix="tests-", dir="/tmp"))
    mark = secrets.token_hex(8)
    kept = folder / "doctrees" / "djconn" / "databases"
    kept.parent.mkdir(parents=True)
    kept.symlink_to(databases)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        patch.setenv("TMPDIR", str(temporary))
        patch.setenv(WITNESS, mark)
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # the lab has to see to it by itself
        docs = Docs(folder, temporary, mark)
        try:
            yield docs
            assert docs.left_behind() == []
        finally:
            for process in docs.processes():
                with suppress(psutil.Error):
                    process.kill()
            shutil.rmtree(temporary)


_VIEWS = """\
import os
import sys
import time

from django.db import connection
from django.http import HttpResponse, JsonResponse


def index(request):
    return HttpResponse("ok")
"""

_URLS = """\
import inspect

import views
from django.urls import path

urlpatterns = [path("", views.index)] + [
    path(name, view)
    for name, view in vars(views).items()
    if inspect.isfunction(view) and view.__module__ == "views"
]
"""
