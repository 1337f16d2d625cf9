import pytest
from docutils import nodes

from sphinx_djconn.evidence.nodes import details_node, verdict_badge
from sphinx_djconn.evidence.parts import DEFAULT_PARTS, PARTS, evidence
from sphinx_djconn.trace.fact_table import FACTS
from sphinx_djconn.trace.reading import Trace
from tests.evidence.evidence_pages import lines, rows, titles
from tests.evidence.synthetic_traces import SETTINGS, Simulation, keep_alive, new_clients, scenario


def text(found: list[nodes.Node]) -> str:
    return "\n".join(node.astext() for node in found)


def test_every_part_has_a_title_a_description_and_a_builder():
    assert set(DEFAULT_PARTS) <= set(PARTS)
    for title, description, build, *_ in PARTS.values():
        assert title
        assert description
        assert callable(build)


def test_parts_come_in_the_order_asked_for():
    one, trace = keep_alive()
    found = evidence(one, [trace], ["settings", "sequence"])
    assert rows(found)[0] == ["Setting", "Value"]
    assert lines(found)[0] == "browser: GET /polls/ as first"


def test_an_unknown_part_is_an_error():
    one, trace = keep_alive()
    with pytest.raises(KeyError):
        evidence(one, [trace], ["picture"])


def test_the_sequence_is_shown_as_it_was_written():
    one, trace = keep_alive()
    assert lines(evidence(one, [trace], ["sequence"])) == one.sequence.text.splitlines()


def test_by_default_a_page_shows_sequence_and_requests_and_folds_the_rest():
    one, trace = keep_alive()
    found = evidence(one, [trace])
    assert isinstance(found[0], nodes.literal_block)
    assert titles(found) == [
        "Summary: requests 6, http.connections 1, threads 1, db.opened 1",
        "Server log and probe",
        "Settings",
    ]


def test_a_short_part_that_comes_first_is_not_folded():
    one, trace = keep_alive()
    for name in PARTS:
        assert titles(evidence(one, [trace], [name])) == []


def test_a_table_of_more_than_twelve_rows_is_folded():
    run = Simulation()
    for number in range(13):
        run.request("browser", f"/polls/{number}/")
    one, trace = scenario("", "browser"), run.trace()
    assert titles(evidence(one, [trace], ["requests"])) == ["Requests: 13"]


def test_a_long_log_is_folded_wherever_it_stands():
    one, trace = new_clients(100)
    assert titles(evidence(one, [trace], ["log"])) == ["Server log and probe"]


def test_of_several_runs_the_first_is_shown_and_said():
    one, trace = keep_alive()
    found = evidence(one, [trace] * 3, ["sequence", "requests", "log"])
    assert "First of 3 runs." in text(found)
    assert titles(found) == ["Server log and probe (first of 3 runs)"]


def test_of_one_run_nothing_is_said():
    one, trace = keep_alive()
    assert "runs" not in text(evidence(one, [trace])).split()


def test_the_summary_names_facts_as_claims_do():
    one, trace = keep_alive()
    table = rows(evidence(one, [trace], ["summary"]))
    assert table[0] == ["Fact", "Figure", "Meaning"]
    assert ["threads", "1"] in [row[:2] for row in table]
    assert {row[0] for row in table[1:]} <= set(FACTS)


def test_facts_that_tell_nothing_are_left_out_of_the_summary():
    one, trace = keep_alive()
    shown = {row[0] for row in rows(evidence(one, [trace], ["summary"]))}
    assert "db.closed" in shown
    assert shown.isdisjoint({"errors", "greenlets", "processes", "responses", "db.failed"})


def test_the_summary_shows_what_differs_between_runs_as_a_range():
    one, trace = new_clients(6)
    other = new_clients(5)[1]
    found = evidence(one, [trace, other, trace], ["sequence", "summary"])
    assert ["threads", "5–6 in 3 runs"] in [row[:2] for row in rows(found)]
    assert titles(found)[0].endswith("(3 runs)")


def test_settings_are_shown_in_their_order():
    one, trace = keep_alive()
    table = rows(evidence(one, [trace], ["settings"]))
    assert table[1:] == [list(item) for item in SETTINGS.items()]


def test_parts_with_nothing_to_show_are_left_out():
    assert evidence(scenario(""), [Trace(())], ["requests", "log", "settings"]) == []


def test_serials_and_idents_leave_no_trace_in_the_evidence():
    for make in (keep_alive, new_clients):
        plain = evidence(make()[0], [make()[1]])
        other = make(serial=lambda count: 5000 - count, ident=77_777)
        assert text(evidence(other[0], [other[1]])) == text(plain)
    assert "77777" not in text(evidence(other[0], [other[1]]))


def test_a_badge_carries_its_verdict_as_a_class():
    badge = verdict_badge("refuted")
    assert badge.astext() == "refuted"
    assert badge["classes"] == ["djconn-verdict", "djconn-refuted"]


def test_a_badge_can_say_something_else():
    assert verdict_badge("holds", "as declared").astext() == "as declared"


def test_a_fold_begins_with_its_title():
    made = details_node("More", nodes.paragraph("", "inside"))
    assert [child.astext() for child in made.children] == ["More", "inside"]
