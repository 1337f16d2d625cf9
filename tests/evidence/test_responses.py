import json
from typing import Any

import pytest
from docutils import nodes

from sphinx_djconn.evidence.parts import evidence
from tests.evidence.evidence_pages import build, rows, titles
from tests.evidence.synthetic_traces import Simulation, keep_alive, scenario


def shown(*bodies: Any) -> list[nodes.Node]:
    """Return the part of a run whose requests, labelled r1, r2, …, were answered with ``bodies``."""
    run = Simulation()
    for number, body in enumerate(bodies, 1):
        run.request("browser", label=f"r{number}", json=body)
    return evidence(scenario("", "browser"), [run.trace()], ["responses"])


def responses(*bodies: Any) -> list[list[str]]:
    return rows(shown(*bodies))


def test_objects_with_the_same_members_have_a_column_for_each():
    assert responses({"user": "anna", "saw": "ben"}, {"saw": "ben", "user": "ben"}) == [
        ["#", "Request", "Status", "user", "saw"],
        ["1", "r1", "200", "anna", "ben"],
        ["2", "r2", "200", "ben", "ben"],
    ]


def test_a_request_without_a_label_has_no_row():
    run = Simulation()
    run.request("browser", json={"user": "anna"})
    run.request("browser", label="second", json={"user": "ben"})
    found = evidence(scenario("", "browser"), [run.trace()], ["responses"])
    assert [row[:2] for row in rows(found)] == [["#", "Request"], ["2", "second"]]


def test_without_labels_there_is_nothing_to_show():
    run = Simulation()
    run.request("browser", json={"user": "anna"})
    assert evidence(scenario("", "browser"), [run.trace()], ["responses"]) == []


def test_a_response_that_is_no_json_shows_its_status():
    one, trace = keep_alive()
    assert rows(evidence(one, [trace], ["responses"]))[1:] == [["1", "first", "200", "—"]]


def test_a_response_that_is_no_json_stands_among_those_that_are():
    assert responses({"user": "anna", "saw": 1}, None)[2] == ["2", "r2", "200", "—", "—"]


def test_a_request_without_a_response_shows_the_error():
    run = Simulation()
    number = run.arrive(run.client("browser"), "/polls/", "broken")
    run.event("request.error", request=number, h=None, error="ConnectionResetError")
    found = evidence(scenario("", "browser"), [run.trace()], ["responses"])
    assert rows(found)[1] == ["1", "broken", "none (ConnectionResetError)", "—"]


@pytest.mark.parametrize(
    ("bodies", "text"),
    [
        ([{"user": "anna"}, {"name": "ben"}], '{"user": "anna"}'),
        ([{"user": {"name": "anna"}}], '{"user": {"name": "anna"}}'),
        ([{"users": [["anna"]]}], '{"users": [["anna"]]}'),
        ([["anna"]], '["anna"]'),
        (["anna"], '"anna"'),
        ([{}], "{}"),
        ([dict.fromkeys("abcdefg")], json.dumps(dict.fromkeys("abcdefg"))),
    ],
)
def test_other_bodies_are_shown_as_json(bodies, text):
    table = responses(*bodies)
    assert (table[0][3:], table[1][3:]) == (["JSON"], [text])


def test_values_are_shown_as_figures_of_claims_are():
    _, row = responses({"a": None, "b": [], "c": ["x", "y"], "d": True, "e": 1.5})
    assert row[3:] == ["none", "empty", "x, y", "true", "1.5"]


def test_a_text_is_told_from_nothing():
    (found,) = shown({"a": "none", "b": None})
    _, row = found.findall(nodes.row)
    text, nothing = row.children[-2:]
    assert text.astext() == nothing.astext() == "none"
    assert list(text.findall(nodes.literal))
    assert not list(nothing.findall(nodes.literal))


def test_a_long_body_is_cut_and_says_so():
    _, row = responses(["x" * 5000])
    assert len(row[3]) < 300
    assert "more characters" in row[3]


def test_the_middle_of_many_responses_is_left_out_and_counted():
    found = shown(*({"user": str(number)} for number in range(100)))
    table = rows(found)
    assert len(table) == 1 + 40 + 1 + 12
    assert table[41] == ["… 48 more …", "", "", ""]
    assert titles(found) == ["Responses: 100"]


def test_nothing_that_a_body_says_is_markup(tmp_path):
    page = build(tmp_path, "html", shown({"<b>": "<script>alert(1)</script>\x1b\x00"}))
    assert "<script>alert" not in page
    assert "<b>" not in page
