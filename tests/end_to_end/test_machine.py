"""Faults of the machine and of its settings: paths, variables, limits, interruptions."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.support.building import PROMPTLY, Docs, interrupt

ONE = ".. djconn:scenario:: only\n\n   browser: GET /where -> 200 as where\n"
VIEWS = """
import sys

def where(request):
    return JsonResponse({"path": [entry for entry in sys.path if ":" in entry], "file": __file__})
"""


@pytest.mark.parametrize("server", ["runserver", "gunicorn-sync", "uvicorn"])
def test_a_colon_in_the_path_of_the_project_is_no_obstacle(docs: Docs, server: str) -> None:
    project = docs.project(views=VIEWS)
    odd = docs.folder / "a:b"
    docs.folder.joinpath("site").rename(odd)
    docs.configure(djconn_project={**project, "path": "../a:b"})
    docs.page("index", ONE.replace(":: only\n", f":: only\n   :server: {server}\n"))
    assert docs.build().warnings == []


@pytest.mark.exhaustive
def test_a_colon_in_the_name_of_the_folder_for_temporary_files_is_no_obstacle(
    docs: Docs, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = docs.temporary / "a:b"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    monkeypatch.setenv("TMPDIR", str(odd))
    docs.configure(djconn_project=docs.project(views=VIEWS))
    docs.page(
        "index",
        ONE + "   \n.. djconn:scenario:: on-postgresql\n   :database: postgresql\n\n   browser: GET /\n",
    )
    try:
        assert docs.build().warnings == []
    finally:
        shutil.rmtree(odd)


@pytest.mark.exhaustive
def test_variables_that_libpq_reads_lead_no_run_astray(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGSERVICE": "nowhere",
        "PGSERVICEFILE": "/nowhere/pg_service.conf",
        "PGOPTIONS": "-c statement_timeout=1",
        "PGHOSTADDR": "192.0.2.1",
        "PGSSLMODE": "verify-full",
        "PGTARGETSESSIONATTRS": "standby",
        "PGPASSWORD": "not-the-one",
    }.items():
        monkeypatch.setenv(name, value)
    docs.configure(djconn_project=docs.project(views=VIEWS))
    docs.page("index", ".. djconn:scenario:: only\n   :database: postgresql\n\n   browser: GET / -> 200\n")
    assert docs.build().warnings == []
    assert os.environ["PGSERVICE"] == "nowhere"


@pytest.mark.parametrize(
    ("values", "timeout", "said"),
    [
        (
            {"timeout": 1},
            30,
            "it took more than 1 seconds, the `timeout` of the project in conf.py; raise that",
        ),
        pytest.param({}, 121, None, marks=pytest.mark.exhaustive),
    ],
)
def test_the_limit_of_preparing_is_that_of_conf_py(
    docs: Docs, values: dict[str, object], timeout: int, said: str | None
) -> None:
    slow = "import time\nimport sys\nif 'prepare' in sys.argv[0]:\n    time.sleep(5)\n"
    docs.configure(djconn_project={**docs.project(settings=slow), **values}, djconn_timeout=timeout)
    docs.page("index", ".. djconn:scenario:: only\n\n   browser: GET /\n")
    built = docs.build()
    if said is None:
        assert built.warnings == []
    else:
        assert said in built.warning("index.rst", docs.line(":: only"), kind="djconn.run").text


@pytest.mark.parametrize(
    ("timeout", "own", "seconds", "said"),
    [
        (30.0, None, 120.0, "the default limit; raise `djconn_timeout`, or give the project a `timeout`"),
        (300.0, None, 300.0, "the `djconn_timeout` of conf.py; raise that, or give the project a `timeout`"),
        (300.0, 7.0, 7.0, "the `timeout` of the project in conf.py; raise that"),
    ],
)
def test_which_limit_it_was_is_said(timeout: float, own: float | None, seconds: float, said: str) -> None:
    from sphinx_djconn.lab.databases.preparation import TimeLimit  # noqa: PLC0415
    from sphinx_djconn.lab.profiles.projects import Project  # noqa: PLC0415

    limit = TimeLimit.of(Project(Path(), "settings", timeout=own), timeout)
    assert limit.seconds == seconds
    assert f"it took more than {seconds:g} seconds, {said}" in limit.message


@pytest.mark.parametrize("reading", [True, False])
def test_ctrl_c_while_postgresql_starts_ends_the_build_promptly(docs: Docs, reading: bool) -> None:
    docs.configure(djconn_project=docs.project())
    docs.page("index", ".. djconn:scenario:: only\n   :database: postgresql\n\n   browser: GET /\n")
    if reading:
        conf = docs.source / "conf.py"
        slow = "def read(*_):\n    import time\n    time.sleep(60)\n"
        setup = "def setup(app):\n    app.connect('doctree-read', read, priority=900)\n"
        conf.write_text(conf.read_text("utf-8") + slow + setup, "utf-8")
    with docs.building() as process:
        limit = time.monotonic() + 60
        while not any(path.name.startswith("djconn-cluster-") for path in docs.temporary.iterdir()):
            assert process.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.01)
        interrupt(process)
    assert docs.left_behind(PROMPTLY) == []


def test_a_worker_that_was_killed_is_named_as_the_cause(docs: Docs) -> None:
    views = "def die(request):\n    os.kill(os.getpid(), 9)\n"
    docs.configure(djconn_project=docs.project(views=views))
    docs.page(
        "index",
        ".. djconn:scenario:: only\n   :server: gunicorn-sync\n\n"
        "   browser: GET /\n   browser: GET /die -> 200\n",
    )
    text = docs.build().warning("index.rst", docs.line("GET /die"), kind="djconn.run").text
    assert "`GET /die` was expected to answer 200 and had no response (" in text
    assert ": the server's process that handled it, P" in text
    assert "was killed or ended by itself" in text


def test_a_server_that_kills_its_supervisor_leaves_no_process(docs: Docs) -> None:
    views = """
    import subprocess

    def orphan(request):
        subprocess.Popen(["sleep", "60"], start_new_session=True)
        os.kill(os.getppid(), 9)
        time.sleep(5)
        return HttpResponse("no")
    """
    docs.configure(djconn_project=docs.project(views=views))
    docs.page("index", ".. djconn:scenario:: only\n\n   browser: GET /orphan\n")
    text = docs.build().warning("index.rst", kind="djconn.run").text
    assert "the process that supervises the server ended before it" in text
    assert docs.left_behind(PROMPTLY) == []


@pytest.mark.exhaustive
@pytest.mark.skipif(shutil.which("latexmk") is None, reason="there is no TeX here")
def test_latex_compiles_whatever_sentences_and_servers_say(docs: Docs) -> None:
    hostile = r"\end{document} \input{/etc/passwd} %& $x$ #1 ^^41 _a {b} ~ \\ \verb|x| `` '' -- <b> 你好 🙂 ̈ é"
    views = f"""
    HOSTILE = {hostile!r} + "\\x00\\x1b[1m\\ud800\\u202e"

    def say(request):
        print(HOSTILE.encode("utf-8", "replace").decode(), flush=True)
        response = JsonResponse({{"said": HOSTILE, HOSTILE: [HOSTILE, {{HOSTILE: 1}}]}})
        return response
    """
    docs.configure(
        djconn_project=docs.project(views=views), latex_documents=[("index", "t.tex", "T", "A", "howto")]
    )
    docs.page(
        "index",
        r"""
        Hostile
        =======

        .. djconn:scenario:: said
           :show: log, responses, requests, summary, settings, sequence

           browser: GET /say?\\end{document}&%23$_^~ as said

        .. djconn:claim:: hostile
           :in: said
           :expect: said.json.said == "\\end{document} % $ # _ ^ ~ {"
           :verdict: refuted

           A sentence.

        .. djconn:claims::
        """,
    )
    built = docs.build("latex")
    assert built.code == 0
    done = subprocess.run(
        ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=docs.folder / "latex",
        capture_output=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-3000:]
    assert docs.folder.joinpath("latex", "t.pdf").stat().st_size > 10_000


PROGRAM = "import sys, sphinx_djconn.lab.steps.clients as c; print(c.is_connection_dropped.__module__)"


def test_nothing_is_asked_of_urllib3_that_version_1_lacks() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "urllib3.util.connection"
