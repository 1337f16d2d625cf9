"""Servers that are forked from a process with their project set up, and projects for which that is wrong."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from sphinx_djconn.lab.errors import ServerError
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import Project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.reading import Trace
from tests.support.choosing import a_few

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all runs start from the shell")

ROOT = Path(__file__).parents[3]
KEEP_ALIVE = Scenario(parse_sequence("3 x browser: GET /polls/"), conn_max_age=None)

UNFIT = {
    "prints": "print('setting up')",
    "warns": "import warnings; warnings.warn('setting up')",
    "starts a thread": "import threading; threading.Thread(target=int).start()",
    "opens a file": "FILE = open('/dev/zero')",
    "writes a file": "open('{tmp_path}/written', 'w').close()",
    "opens a database connection": "from django.db import connection; connection.ensure_connection()",
    "keeps a wrapper of a database": "from django.db import connections; KEPT = connections['default']",
    "keeps the settings of a database": (
        "from django.conf import settings; KEPT = settings.DATABASES['default']"
    ),
    "looks at the name of a database": (
        "from django.conf import settings; NAME = settings.DATABASES['default']['NAME']"
    ),
    "copies the settings of a database": (
        "from django.conf import settings; COPY = dict(settings.DATABASES['default'])"
    ),
    "starts a process": "import subprocess; subprocess.run(['true'])",
    "handles a signal": "import signal; signal.signal(signal.SIGUSR1, print)",
    "wraps what the probe wraps": (
        "from django.http.response import HttpResponseBase as response\n"
        "close = response.close\n"
        "response.close = lambda self: close(self)"
    ),
    "remembers its process": "import os; PROCESS = os.getpid()",
    "changes the working directory": "import os; os.chdir('/')",
    "reads a variable that names the run's folder": "import os; FOLDER = dict(os.environ)['TMPDIR']",
    "asks where temporary files are": "import tempfile; FOLDER = tempfile.gettempdir()",
    "draws a random number": "import random; NUMBER = random.random()",
    "chooses its random numbers": "import random; random.seed(1)",
    "makes an identifier": "import uuid; INSTANCE = uuid.uuid4()",
    "makes a key": "from django.core.management.utils import get_random_secret_key as key; KEY = key()",
    "remembers when it started": "import time; STARTED = time.time()",
    "fails": "raise RuntimeError('not now')",
}
"""What an application of a project may do when it is set up, and its fork would not do."""

DEED_IN_PRELOADER = """
    def ready(self):
        import sys
        if "runserver" in sys.argv and "/proc/djconn" in sys.path:
            from polls import deed
"""
"""Only there: otherwise a project that fails, for example, would have no databases."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", "*.sqlite3")
    return Path(shutil.copytree(ROOT / "demo_site", tmp_path / "site", ignore=ignored))


@pytest.fixture
def laboratory(tmp_path: Path, site: Path) -> Iterator[Laboratory]:
    projects = {"default": Project(site, "mysite.settings", ("polls",))}
    laboratory = Laboratory(Profiles(projects=projects), tmp_path / "databases")
    yield laboratory
    laboratory.close()


def run(laboratory: Laboratory, scenario: Scenario = KEEP_ALIVE) -> Trace:
    """Preload the project for two runs, and return the trace of one."""
    laboratory.preload_common([scenario, scenario])
    return laboratory.run(scenario).runs[0]


def preloaded() -> list[psutil.Process]:
    """Return the processes that have a project set up. Supervisors, unlike these, lead their sessions."""
    servers = [
        child
        for child in psutil.Process().children()
        if any("forkserver.py" in word for word in child.cmdline())
    ]
    processes = []
    for child in (child for server in servers for child in server.children()):
        with suppress(ProcessLookupError):
            if os.getsid(child.pid) != child.pid:
                processes.append(child)
    return processes


def add(path: Path, code: str) -> None:
    path.write_text(f"{path.read_text()}\n{code}\n")


def test_servers_that_begin_alike_are_forked_from_a_process_with_the_project_set_up(laboratory):
    trace = run(laboratory)
    assert facts_of(trace).figures["db.opened"] == 1
    assert len(preloaded()) == 1


def test_one_run_alone_has_no_project_set_up_for_it(laboratory):
    laboratory.preload_common([KEEP_ALIVE])
    laboratory.run(KEEP_ALIVE)
    assert preloaded() == []


def test_runs_with_other_settings_have_processes_of_their_own(laboratory):
    aged = Scenario(KEEP_ALIVE.sequence, conn_max_age=0)
    figures = [facts_of(run(laboratory, each)).figures["db.opened"] for each in (KEEP_ALIVE, aged)]
    assert figures == [1, 3]
    assert len(preloaded()) == 2


def test_processes_with_a_project_set_up_end_with_their_laboratory(laboratory):
    run(laboratory)
    processes = preloaded()
    laboratory.close()
    assert processes
    _, alive = psutil.wait_procs(processes, timeout=8)
    # An ended one waits for whoever collects orphans, if its parent ended at the same time.
    assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []


def test_databases_that_were_begun_in_vain_leave_nothing(laboratory, monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        laboratory.warm_up()
        assert [path.name[:7] for path in Path(place).iterdir()] == ["djconn-"]
        laboratory.close()
        assert list(Path(place).iterdir()) == []


def test_databases_that_were_begun_are_those_that_runs_have(laboratory, tmp_path):
    laboratory.warm_up()
    trace = laboratory.run(KEEP_ALIVE).runs[0]
    assert facts_of(trace).figures["statuses"] == [200, 200, 200]
    assert len(list((tmp_path / "databases").iterdir())) == 1


@pytest.mark.exhaustive
def test_where_the_warm_process_dies_the_databases_are_begun_once_more(laboratory, tmp_path):
    laboratory.warm_up()
    (process,) = psutil.Process().children()
    process.kill()
    trace = laboratory.run(KEEP_ALIVE).runs[0]
    assert facts_of(trace).figures["requests"] == 3
    assert len(list((tmp_path / "databases").iterdir())) == 1


def test_a_run_has_databases_and_a_trigger_of_its_own(laboratory, site):
    add(
        site / "mysite" / "urls.py",
        "def places(request):\n"
        "    import djconn_reload\n"
        "    import sys\n"
        "    from django.db import connection\n"
        "    from django.http import JsonResponse\n"
        "    folder = str(connection.settings_dict['NAME']).rpartition('/')[0]\n"
        "    its_own = djconn_reload.__file__.startswith(folder) and folder in sys.path\n"
        "    return JsonResponse({'of the run': its_own and '/proc/djconn' not in sys.path})\n"
        "urlpatterns.append(path('places/', places))\n",
    )
    trace = run(laboratory, Scenario(parse_sequence("browser: GET /places/ as it"), conn_max_age=None))
    assert len(preloaded()) == 1
    assert trace.entities.request(1).json == {"of the run": True}


def test_what_a_project_changes_of_its_variables_and_its_path_is_there_in_a_run(laboratory, site):
    add(
        site / "mysite" / "settings.py",
        "import os, sys\nos.environ['OF_SETTINGS'] = 'yes'\nsys.path.insert(0, '/of/settings')",
    )
    add(
        site / "mysite" / "urls.py",
        "def changed(request):\n"
        "    import os, sys\n"
        "    from django.http import JsonResponse\n"
        "    return JsonResponse({'it': [os.environ.get('OF_SETTINGS'), sys.path[0] == '/of/settings']})\n"
        "urlpatterns.append(path('changed/', changed))\n",
    )
    trace = run(laboratory, Scenario(parse_sequence("browser: GET /changed/ as it"), conn_max_age=None))
    assert len(preloaded()) == 1
    assert trace.entities.request(1).json == {"it": ["yes", True]}


@pytest.mark.exhaustive
def test_python_collects_garbage_as_often_as_from_the_shell(laboratory, site, tmp_path):
    """Connections that nobody has any more may stay open until it does, and claims are about that."""
    add(
        site / "mysite" / "urls.py",
        "def collections(request):\n"
        "    import gc\n"
        "    from django.http import JsonResponse\n"
        "    return JsonResponse([each['collections'] for each in gc.get_stats()], safe=False)\n"
        "urlpatterns.append(path('collections/', collections))\n",
    )
    text = (
        "browser: GET /collections/ as before\n900 x browser: GET /polls/\n"
        "200 x new client: GET /polls/\nbrowser: GET /collections/ as after"
    )
    scenario = Scenario(parse_sequence(text), conn_max_age=None, timeout=120)
    from_shell = Laboratory(laboratory.profiles, tmp_path / "databases", warm=False)
    laboratory.preload_common([scenario, scenario])
    made = []
    for each in (laboratory, from_shell):
        entities = each.run(scenario).runs[0].entities
        before, after = (entities.request(number).json for number in (1, 1102))
        made.append([late - early for early, late in zip(before, after, strict=True)])
    assert len(preloaded()) == 1
    from_shell.close()
    (_, middle, full), (_, middle_of_shell, full_of_shell) = made
    assert full == full_of_shell
    assert abs(middle - middle_of_shell) <= 1


@pytest.mark.exhaustive
def test_loggers_are_configured_as_often_as_from_the_shell(laboratory, site, tmp_path):
    handlers = {"out": {"class": "logging.StreamHandler", "formatter": "named"}}
    formatters = {"named": {"format": "%(name)s says %(message)s"}}
    root = {"handlers": ["out"], "level": "INFO"}
    logging = {"version": 1, "handlers": handlers, "formatters": formatters, "root": root}
    add(site / "mysite" / "settings.py", f"LOGGING = {logging}")
    add(
        site / "polls" / "models.py",
        "import logging\n"
        "from django.core.checks import register\n"
        "logger = logging.getLogger('project.models')\n"
        "@register\n"
        "def talk(app_configs, **options):\n"
        "    logger.info('so')\n"
        "    return []\n",
    )
    scenario = Scenario(parse_sequence("browser: GET /polls/"), conn_max_age=None)
    warm = run(laboratory, scenario)
    assert len(preloaded()) == 1
    from_shell = Laboratory(laboratory.profiles, tmp_path / "databases", warm=False)
    shell = from_shell.run(scenario).runs[0]
    from_shell.close()
    assert "project.models says so" in warm.log
    assert warm.log == shell.log


def test_a_command_of_the_project_s_own_is_made_in_the_run_alone(laboratory, site):
    commands = site / "polls" / "management" / "commands"
    commands.mkdir(parents=True)
    for folder in (commands.parent, commands):
        folder.joinpath("__init__.py").touch()
    commands.joinpath("runserver.py").write_text(
        "from django.contrib.staticfiles.management.commands import runserver\n"
        "class Command(runserver.Command):\n"
        "    def __init__(self, *args, **kwargs):\n"
        "        super().__init__(*args, **kwargs)\n"
        "        print('made')\n"
    )
    assert run(laboratory).log.count("made") == 1
    assert len(preloaded()) == 1


@pytest.mark.exhaustive
def test_a_server_that_ends_by_itself_ends_as_from_the_shell(laboratory, site, tmp_path):
    add(
        site / "polls" / "models.py",
        "import atexit, sys, threading, time\n"
        "from django.core.checks import register\n"
        "def go_on():\n"
        "    time.sleep(0.2)\n"
        "    print('of a thread')\n"
        "@register\n"
        "def leave(app_configs, **options):\n"
        "    if 'runserver' in sys.argv:\n"
        "        threading.Thread(target=go_on).start()\n"
        "        atexit.register(print, 'at the end')\n"
        "        sys.exit(3)\n"
        "    return []\n",
    )
    from_shell = Laboratory(laboratory.profiles, tmp_path / "databases", warm=False)
    errors = []
    for each in (laboratory, from_shell):
        each.preload_common([KEEP_ALIVE, KEEP_ALIVE])
        with pytest.raises(ServerError, match="exited with code 3") as raised:
            each.run(KEEP_ALIVE)
        errors.append((raised.value.message, raised.value.log))
    assert len(preloaded()) == 1
    from_shell.close()
    assert errors[0] == errors[1]
    _, log = errors[0]
    assert log[-2:] == ("of a thread", "at the end")


def test_no_server_is_forked_from_a_project_whose_addresses_bring_checks(laboratory, site):
    add(
        site / "mysite" / "urls.py",
        "from django.core.checks import register\nregister(lambda app_configs, **options: [])",
    )
    assert facts_of(run(laboratory)).figures["requests"] == 3
    _, alive = psutil.wait_procs(preloaded(), timeout=8)
    assert alive == []


@pytest.mark.parametrize(
    "deed",
    a_few(
        UNFIT,
        "prints",
        "starts a thread",
        "writes a file",
        "looks at the name of a database",
        "remembers its process",
        "draws a random number",
    ),
)
def test_no_server_is_forked_from_a_project_that(deed, laboratory, site, tmp_path):
    site.joinpath("polls", "deed.py").write_text(UNFIT[deed].format(tmp_path=tmp_path))
    add(site / "polls" / "apps.py", DEED_IN_PRELOADER)
    trace = run(laboratory)
    assert facts_of(trace).figures["requests"] == 3
    _, alive = psutil.wait_procs(preloaded(), timeout=8)
    assert alive == []
