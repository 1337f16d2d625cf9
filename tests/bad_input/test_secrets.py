"""A project that tells everything it knows: nothing of it that is secret gets into a page."""

import html
import os
import sys
from pathlib import Path

import pytest
from building import WITNESS, Built, Docs

SECRETS = {
    "the SECRET_KEY": "django-insecure-0123456789-&<abc>",
    "the database's password": "pass-of-db",
    "a password in a nested setting": "hunter2",
    "a password in a URL among the settings": "amqp-pw-77",
    "a line of a key of several lines": "MIIEvQIBADANBgkqhkiG9w0BAQ",
    "a variable of the environment that is named as a secret": "plainsecretword",
    "any variable of the environment": "canary-in-the-environment",
    "a password in a URL in the environment": "pw-in-url-42",
    "a very long variable of the environment": "long-token-" + "0123456789abcdef" * 40,
    "a variable that conf.py gives the server": "given-by-conf-py-9",
}

ENVIRONMENT = {
    "MY_API_TOKEN": SECRETS["a variable of the environment that is named as a secret"],
    "SOMETHING": SECRETS["any variable of the environment"],
    "CACHE_URL": f"redis://user:{SECRETS['a password in a URL in the environment']}@localhost:6379/0",
    "GITHUB_TOKEN": SECRETS["a very long variable of the environment"],
    "DEPLOYMENT": "production",
}

SETTINGS = f"""
SECRET_KEY = {SECRETS["the SECRET_KEY"]!r}
DATABASES["default"]["PASSWORD"] = {SECRETS["the database's password"]!r}
DATABASES["default"]["HOST"] = "db.example.org"
SERVICES = {{"mail": [{{"account": {{"password": {SECRETS["a password in a nested setting"]!r}}}}}]}}
BROKER = "amqp://guest:{SECRETS["a password in a URL among the settings"]}@queue.example.org//"
PRIVATE_KEY = '''-----BEGIN PRIVATE KEY-----
{SECRETS["a line of a key of several lines"]}
-----END PRIVATE KEY-----'''
ALLOWED_HOSTS = ["127.0.0.1"]
"""

VIEWS = """
import json
import threading
import django
import site_settings as original
from django.conf import settings


def everything():
    return {
        "key": settings.SECRET_KEY,
        "databases": json.loads(json.dumps(original.DATABASES, default=str)),
        "services": settings.SERVICES,
        "broker": settings.BROKER,
        "private": settings.PRIVATE_KEY,
        "environment": dict(os.environ),
        "here": __file__,
        "there": django.__file__,
        "python": [sys.executable, sys.prefix, sys.base_prefix],
        "path": sys.path,
        "cwd": os.getcwd(),
        "home": os.path.expanduser("~"),
        os.environ["SOMETHING"]: settings.SECRET_KEY,
    }


def tell(request):
    print(everything())
    print(settings.PRIVATE_KEY)
    print(settings.SECRET_KEY + "x", file=sys.stderr, flush=True)
    for name, value in os.environ.items():
        print(f"{name}={value}")
    print("This was said in production", flush=True)
    threading.current_thread().name = settings.SECRET_KEY
    return JsonResponse(everything())


def raise_it(request):
    thread = threading.Thread(target=print, name=settings.SECRET_KEY)
    thread.start()
    thread.join()
    raise RuntimeError(settings.SECRET_KEY, __file__, dict(os.environ))


def die(request):
    tell(request)
    os._exit(3)
"""

PAGE = """
    Telling
    =======

    .. djconn:scenario:: telling
       :show: log, requests, summary, settings, sequence
       :server: told

       browser: GET /tell as told
       browser: GET /raise_it as raised

    .. djconn:claim:: told-in-a-claim
       :in: telling
       :expect: told.json == 1
       :verdict: refuted

       What the response was.

    .. djconn:scenario:: dying
       :server: told

       browser: GET /die

    Told: :djconn:fact:`telling told.json`.

    :djconn:fact:`telling told.json.key` :djconn:fact:`telling told.json.here`
    :djconn:fact:`telling told.json.there`
"""


@pytest.fixture(scope="module")
def built(shared_docs: Docs) -> Built:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        project = shared_docs.project(settings=SETTINGS, views=VIEWS)
        script = shared_docs.folder / "serve.py"
        script.write_text(
            "import sys\nfrom django.core.management import execute_from_command_line as execute\n"
            "execute(['django', 'runserver', '127.0.0.1:0', '--noreload'])\n"
        )
        shared_docs.configure(
            djconn_project=project,
            djconn_servers={
                "told": {
                    "command": ["{python}", str(script), "--password=pass-of-db"],
                    "env": {"SESSION_PASSWORD": SECRETS["a variable that conf.py gives the server"]},
                }
            },
        )
        shared_docs.page("index", PAGE)
        built = shared_docs.build()
        shared_docs.build("text")
        shared_docs.build("djconn")
        return built


def everything(docs: Docs) -> dict[Path, str]:
    """Return the text of every page and report, and of every recording."""
    folders = [docs.folder / builder for builder in ("html", "text", "djconn")]
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {
        path: html.unescape(path.read_text("utf-8", "replace"))
        for path in [*paths, *docs.recordings]
        if "_static" not in path.parts
    }


@pytest.mark.parametrize("what", SECRETS)
def test_no_secret_is_in_any_page_or_report_or_recording(built: Built, shared_docs: Docs, what: str) -> None:
    secret = SECRETS[what]
    assert [path for path, text in everything(shared_docs).items() if secret in text] == []


def test_no_absolute_path_of_this_machine_is_in_any_page_or_report(built: Built, shared_docs: Docs) -> None:
    places = {str(shared_docs.folder), sys.prefix, sys.base_prefix, str(Path(os.__file__).parent)}
    places |= {str(shared_docs.temporary), str(Path.cwd()), str(Path(__file__).parents[2] / "sphinx_djconn")}
    pages = {
        path: text for path, text in everything(shared_docs).items() if path.suffix in (".html", ".txt", ".md")
    }
    assert len(pages) > 4
    found = [
        (path.name, place)
        for path, text in pages.items()
        for place in places
        if place in text
        # The check says in which file, as every warning does.
        if path.parent.name != "djconn"
    ]
    assert found == []


def test_no_secret_is_in_a_warning(built: Built) -> None:
    assert "the server exited with code 3" in built.errors
    assert [what for what, secret in SECRETS.items() if secret in built.errors] == []


def test_what_is_hidden_says_so_and_the_rest_is_told(built: Built) -> None:
    page = html.unescape(built.read("index.html"))
    assert "'key': '<secret>'" in page
    assert "SOMETHING=<environment>" in page
    assert "amqp://<secret>@queue.example.org" in page
    assert "'HOST': 'db.example.org'" in page
    assert "DEPLOYMENT=production" in page
    assert "This was said in production" in page
    assert "<project>/views.py" in page
    assert f"{WITNESS}=<environment>" in page


def test_a_figure_of_what_is_hidden_is_hidden(built: Built) -> None:
    page = html.unescape(built.read("index.html"))
    assert '<span class="djconn-fact"><secret></span>' in page
    assert '<span class="djconn-fact"><project>/views.py</span>' in page
    assert '<span class="djconn-fact"><site-packages>/django/__init__.py</span>' in page


def test_the_sentences_of_django_are_whole(built: Built) -> None:
    page = built.read("index.html")
    assert "This is a development server. Do not use it in a production setting." in page
