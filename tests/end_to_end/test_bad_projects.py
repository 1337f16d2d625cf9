"""Projects that cannot be run: each is reported at the scenarios that name it, and the rest is built."""

import pytest

from tests.support.building import Built, Docs

PAGE = """
    Projects
    ========

    .. djconn:scenario:: good

       browser: GET /

    .. djconn:scenario:: absent
       :project: absent

       browser: GET /

    .. djconn:scenario:: no-module-name
       :project: no-module-name

       browser: GET /

    .. djconn:scenario:: half
       :project: half

       browser: GET /

    .. djconn:scenario:: no-settings
       :project: no-settings

       browser: GET /

    .. djconn:scenario:: raises
       :project: raises

       browser: GET /

    .. djconn:scenario:: raises-again
       :project: raises

       browser: GET /again

    .. djconn:scenario:: no-fixture
       :project: no-fixture

       browser: GET /

    .. djconn:scenario:: misses-an-app
       :project: misses-an-app

       browser: GET /

    .. djconn:scenario:: no-command
       :server: no-command

       browser: GET /

    .. djconn:scenario:: misspelt
       :server: misspelt

       browser: GET /
"""


@pytest.fixture(scope="module")
def built(shared_docs: Docs) -> Built:
    docs = shared_docs
    count = docs.folder / "count"
    raises = f"""
    PREPARES = __import__("sys").argv[0].endswith("prepare.py")
    TOKEN, DATABASE = open({str(count)!r}, "a").write("x" * PREPARES), "postgres://ada:lovelace-1815@localhost/x"
    raise RuntimeError("DATABASE_URL is not set, & <b>that</b> is bad", len(DATABASE and "lovelace-1815"))
    """
    docs.configure(
        djconn_project=docs.project(),
        djconn_projects={
            "absent": {"path": "../nowhere", "settings": "site_settings"},
            "no-module-name": {"path": "../site", "settings": "site_settings.py"},
            "half": {"path": "../site"},
            "no-settings": {"path": "../site", "settings": "other_settings"},
            "raises": docs.project("raises", settings=raises),
            "no-fixture": {**docs.project(), "fixtures": ["nothing"]},
            "misses-an-app": docs.project("misses", settings='INSTALLED_APPS = ["shop"]'),
        },
        djconn_servers={
            "no-command": {"command": "python manage.py runserver"},
            "misspelt": {"command": ["python"], "reload": True},
        },
        djconn_jobs=3,
    )
    docs.page("index", PAGE)
    return docs.build()


@pytest.mark.parametrize(
    ("where", "kind", "told"),
    [
        (
            ":: absent",
            "djconn.config",
            "djconn_projects['absent'] in conf.py: there is no folder `../nowhere`; 'path' must lead from",
        ),
        (":: no-module-name", "djconn.config", "`site_settings.py` is not a module name; write it"),
        (":: half", "djconn.config", "djconn_projects['half'] must be {'path': ..., 'settings': ...}"),
        (":: no-settings", "djconn.run", "ModuleNotFoundError: No module named 'other_settings'"),
        (":: raises", "djconn.run", "RuntimeError: ('DATABASE_URL is not set, & <b>that</b> is bad', 13)"),
        (":: raises-again", "djconn.run", "RuntimeError: ('DATABASE_URL is not set"),
        (":: no-fixture", "djconn.run", "CommandError: No fixture named 'nothing' found."),
        (":: misses-an-app", "djconn.run", "ModuleNotFoundError: No module named 'shop'"),
        (":: no-command", "djconn.config", "djconn_servers['no-command']['command'] must be a list of words"),
        (":: misspelt", "djconn.config", "djconn_servers['misspelt']: unknown key `reload`. Known: apps"),
    ],
)
def test_what_is_wrong_is_told_at_the_scenario(
    built: Built, shared_docs: Docs, where: str, kind: str, told: str
) -> None:
    lines = (shared_docs.source / "index.rst").read_text("utf-8").splitlines()
    line = next(number for number, line in enumerate(lines, 1) if line.endswith(where))
    assert told in built.warning("index.rst", line, kind=kind).text


def test_settings_that_raise_are_told_with_what_to_do(built: Built, shared_docs: Docs) -> None:
    text = built.warning("index.rst", shared_docs.line(":: no-settings"), kind="djconn.run").text
    assert text.startswith("djconn:scenario `no-settings`: the project's databases could not be prepared")
    assert "(settings module `other_settings`; try `python manage.py migrate`" in text


def test_the_traceback_shows_no_line_of_the_settings(built: Built) -> None:
    page = built.read("index.html")
    for text in (built.errors, page):
        assert "lovelace" not in text
        assert "<project>/raises_settings.py" in text.replace("&lt;", "<").replace("&gt;", ">")
    assert "&amp; &lt;b&gt;that&lt;/b&gt; is bad" in page


def test_a_project_that_cannot_be_prepared_is_tried_once_in_a_build(built: Built, shared_docs: Docs) -> None:
    assert (shared_docs.folder / "count").read_text() == "x"


def test_the_rest_is_built(built: Built, shared_docs: Docs) -> None:
    assert "good" in built.ran
    assert built.read("index.html").count("has no evidence") == 10
    assert built.code == 0
    assert shared_docs.left_behind() == []
    assert len(shared_docs.recordings) == 1


def test_a_project_is_told_of_where_it_is_the_default(docs: Docs) -> None:
    docs.configure(djconn_project={"path": "../nowhere", "settings": "mysite.settings"})
    docs.page("index", ".. djconn:scenario:: first\n\n   browser: GET /\n")
    built = docs.build()
    warning = built.warning("index.rst", docs.line(":: first"), kind="djconn.config")
    assert "djconn_project in conf.py: there is no folder `../nowhere`" in warning.text
    assert built.code == 0


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"djconn_mode": "reply"}, "djconn_mode is 'reply'; it must be one of auto, run, replay"),
        (
            {"djconn_garbage_collection": "never"},
            "djconn_garbage_collection is 'never'; it must be one of automatic, off, each-request",
        ),
        ({"djconn_timeout": 0}, "djconn_timeout must be a number of seconds above 0"),
        ({"djconn_jobs": -1}, "djconn_jobs must be 0"),
        ({"djconn_servers": ["runserver"]}, "djconn_servers is ['runserver']; it must be a dictionary"),
        ({"djconn_projects": {"shop": "../shop"}}, "djconn_projects['shop'] must be a dictionary"),
    ],
)
def test_a_value_of_conf_py_that_concerns_all_scenarios_lets_none_of_them_run(
    docs: Docs, values: dict[str, object], told: str
) -> None:
    docs.configure(**values)
    docs.page("index", ".. djconn:scenario:: first\n\n   browser: GET /\n")
    built = docs.build()
    assert built.code == 0
    line = docs.line(next(iter(values)), "conf.py")
    assert told in built.warning("conf.py", line, kind="djconn.config").text
    assert built.ran == []
    assert "The scenario first has no evidence: conf.py: djconn_" in built.read("index.html")
    assert docs.build("djconn").code == 1
