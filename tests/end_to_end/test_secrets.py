"""A project that prints everything it can: no secret of it appears on a page."""

import base64
import html
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from sphinx_djconn.lab.events.masking import is_secret
from sphinx_djconn.lab.events.sanitizer import Sanitizer
from sphinx_djconn.trace.unknown import Unknown, UnknownMember, with_unknown
from tests.support.building import WITNESS, Built, Docs, documentation

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
    assert '<span class="djconn-fact djconn-unproven">?</span>' in page
    assert "`told.json.key` is not known: it was masked as a secret" in built.errors
    assert '<span class="djconn-fact"><project>/views.py</span>' in page
    assert '<span class="djconn-fact"><site-packages>/django/__init__.py</span>' in page


def test_the_sentences_of_django_are_whole(built: Built) -> None:
    page = built.read("index.html")
    assert "This is a development server. Do not use it in a production setting." in page


FORMS = """
import base64
import json
import urllib.parse


def forms(request):
    password = settings.PASSWORD
    told = {
        "plain": f"x{password}x",
        "repr": repr(password),
        "json": json.dumps(password),
        "url": f"https://db/?password={urllib.parse.quote(password)}",
        "form": urllib.parse.urlencode({"password": password}),
        "basic": base64.b64encode(f"user:{password}".encode()).decode(),
        "hex": password.encode().hex(),
    }
    print(told, flush=True)
    return JsonResponse(told)


def environ(request):
    with open("/proc/self/environ") as file:
        found = file.read()
    print(found, flush=True)
    return JsonResponse({"environ": found, "word": "django", "number": 7})


def word(request):
    return JsonResponse({"word": "django", "prefix": settings.CACHE_MIDDLEWARE_KEY_PREFIX})
"""

SEVEN = "sommers"
AWKWARD = 'it\'s "<&>" é/1'
SHORT_TOKEN = "ab12-xy"


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, databases: Path) -> "Iterator[tuple[Docs, Built]]":
    with documentation(tmp_path_factory.mktemp("second") / "docs", databases) as docs:
        settings = f"""
        PASSWORD = {AWKWARD!r}
        OTHER_PASSWORD = {SEVEN!r}
        CACHE_MIDDLEWARE_KEY_PREFIX = "django"
        """
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MAIL_PASSWORD", SHORT_TOKEN)
            docs.configure(djconn_project=docs.project(settings=settings, views=SETTINGS_IMPORT + FORMS))
            docs.page(
                "index",
                """
                .. djconn:scenario:: told
                   :show: log, responses, requests

                   browser: GET /forms as forms
                   browser: GET /environ as environ
                   browser: GET /word as word

                .. djconn:claim:: a-word-is-no-secret
                   :in: told
                   :expect: word.json.word == "django" and word.json.prefix == "django"

                   The word is django.
                """,
            )
            built = docs.build("djconn")
            docs.build("text")
        yield docs, built


SETTINGS_IMPORT = "from django.conf import settings\n"


def test_a_word_of_everybody_s_is_not_masked(second: tuple[Docs, Built]) -> None:
    _, built = second
    assert built.code == 0, built.errors
    assert json.loads(built.read("claims.json"))[0]["verdict"] == "holds"


def test_no_form_of_a_secret_is_anywhere(second: tuple[Docs, Built]) -> None:
    docs, _ = second
    written = [AWKWARD, repr(AWKWARD)[1:-1], json.dumps(AWKWARD)[1:-1], quote(AWKWARD), quote_plus(AWKWARD)]
    written += [AWKWARD.encode().hex(), base64.b64encode(f"user:{AWKWARD}".encode()).decode()]
    written += [SEVEN, SHORT_TOKEN]
    texts = everything(docs)
    assert len(texts) > 4
    assert [(path.name, form) for form in written for path, text in texts.items() if form in text] == []


def test_what_was_masked_is_unknown_to_claims_and_the_rest_is_known(second: tuple[Docs, Built]) -> None:
    _, built = second
    (run,) = json.loads(built.read("facts.json"))["told"]["runs"]
    assert run["forms.json"]["plain"] == {
        "unknown": "`forms.json.plain` is not known: it was masked as a secret"
    }
    assert run["environ.json"]["environ"] == {
        "unknown": "`environ.json.environ` is not known: it was masked as a secret"
    }
    assert run["environ.json"]["number"] == 7
    assert run["word.json"] == {"word": "django", "prefix": "django"}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CACHE_MIDDLEWARE_KEY_PREFIX", "django", False),
        ("PASSWORD", "sommers", True),
        ("PASSWORD", "django", False),
        ("DB_PWD", "x1y2", True),
        ("SECRET_KEY", "a key that no page may show", True),
        ("AUTHOR", "Jane Doe", False),
        ("AWS_KEY", "AKIAIOSFODNN7EXAMPLE", True),
        ("API_URL", "https://api.example.com/v1/things", False),
        ("API_URL", "https://api.example.com/?k=550e8400e29b41d4a716446655440000", True),
        ("AUTHENTICATION_BACKENDS", "django.contrib.auth.backends.ModelBackend", False),
        ("STATIC_URL", "d41d8cd98f00b204e9800998ecf8427e", False),
    ],
)
def test_a_name_and_how_hard_it_is_to_guess_decide_what_is_a_secret(
    name: str, value: str, expected: bool
) -> None:
    assert is_secret(name, value) is expected


def test_only_what_was_masked_is_unknown_and_paths_are_shown_as_everywhere() -> None:
    sanitizer = Sanitizer({Path("/srv/site"): "<project>"}, ["sommers"])
    value = {"a": [1, {"b": "xsommersx"}], "path": "/srv/site/views.py", "when": "2024-01-01 10:00:00", "n": 7}
    shown, lost = sanitizer.value(value)
    assert shown == {"a": [1, {"b": "x<secret>x"}], "path": "<project>/views.py", "when": "<time>", "n": 7}
    assert [place for place, _ in lost] == [["a", 1, "b"], ["when"]]
    known = with_unknown(shown, lost, "first.json")
    assert known["a"] == [1, {"b": Unknown("`first.json.a.1.b` is not known: it was masked as a secret")}]
    assert isinstance(known["when"], Unknown)
    assert known["path"] == "<project>/views.py"


def test_a_member_whose_name_was_masked_is_unknown_and_so_are_all_where_names_are_alike() -> None:
    sanitizer = Sanitizer({}, ["sommers", "winters"])
    shown, lost = sanitizer.value({"sommers": 1, "other": 2})
    assert shown == {"<secret>": 1, "other": 2}
    assert with_unknown(shown, lost, "first.json") == {
        "<secret>": UnknownMember(
            "`first.json.<secret>` is not known: its name is not known: it was masked as a secret"
        ),
        "other": 2,
    }
    shown, lost = sanitizer.value({"sommers": 1, "winters": 2})
    assert isinstance(with_unknown(shown, lost, "first.json"), Unknown)
