"""Mistakes that new users made: each is reported, and none counts as evidence."""

import pytest

from tests.support.building import Docs

DEAF = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    while True:
        server.accept()[0].close()
"""


def test_a_figure_in_a_title_is_refused_at_its_line(docs: Docs) -> None:
    docs.page(
        "index",
        """
        Title
        =====

        .. djconn:scenario:: visits

           browser: GET /polls/

        Threads: :djconn:fact:`visits threads`
        --------------------------------------

        Text.
        """,
    )
    built = docs.build()
    told = built.warning("index.rst", docs.line("Threads:"), kind="djconn.config").text
    assert "djconn:fact `visits threads`" in told
    assert "cannot stand in a title" in told
    assert "Threads: visits threads" in built.read("index.html")


def test_a_scenario_in_which_nothing_answers_is_no_evidence(docs: Docs) -> None:
    docs.configure(djconn_servers={"deaf": {"command": ["{python}", "-c", DEAF]}})
    docs.page(
        "index",
        """
        Title
        =====

        .. djconn:scenario:: unheard
           :server: deaf

           2 x new client: GET /polls/

        .. djconn:claim:: idle
           :in: unheard
           :expect: db.opened == 0

           Nothing is opened.
        """,
    )
    built = docs.build()
    told = built.warning("index.rst", docs.line("2 x new client"), kind="djconn.run").text
    assert "none of the 2 requests had a response" in told
    assert "unproven" in built.warning("index.rst", docs.line("idle"), kind="djconn.claim").text


def test_a_server_on_an_ipv6_address_is_reached(docs: Docs) -> None:
    command = ["{python}", "-m", "django", "runserver", "--noreload", "[::1]:0"]
    docs.configure(djconn_servers={"six": {"command": command}})
    docs.page(
        "index",
        """
        Title
        =====

        .. djconn:scenario:: visit
           :server: six

           browser: GET /polls/ -> 200
        """,
    )
    assert docs.build().warnings == []


def test_a_claim_shows_its_figures_wherever_it_is_listed(docs: Docs) -> None:
    docs.page(
        "index",
        """
        Title
        =====

        .. djconn:scenario:: visits

           2 x browser: GET /polls/

        .. djconn:claim:: counted
           :in: visits
           :expect: requests == 2

           There were :djconn:fact:`visits requests` requests.

        .. djconn:claims::
        """,
    )
    assert docs.build().read("index.html").count("There were 2 requests.") >= 1
    assert "There were 2 requests." in docs.build("djconn").read("claims.json")


@pytest.mark.parametrize(("written", "meant"), [("none", "None"), ("true", "True")])
def test_a_value_that_is_written_as_in_other_languages_is_put_right(docs: Docs, written, meant) -> None:
    docs.page(
        "index",
        f"""
        Title
        =====

        .. djconn:scenario:: visit

           browser: GET /polls/ as first

        .. djconn:claim:: wrong
           :in: visit
           :expect: first.db_connection == {written}

           It has none.
        """,
    )
    assert f"write '{meant}'" in docs.build().warning("index.rst", docs.line("wrong"), kind="djconn.claim").text
