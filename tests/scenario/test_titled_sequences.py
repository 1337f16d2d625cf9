"""Bodies with several sequences, each below a title."""

import pytest

from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.lexer import SequenceError
from sphinx_djconn.scenario.model import Sequence
from sphinx_djconn.scenario.titled_sequences import parse_sequences

BODY = """
# about the first
new connections
   6 x new client: GET /polls/
   together:
       browser: GET /
       new client: GET /

# about the second
keep-alive
    # a comment of its own
    browser: GET /polls/ as one

    browser: GET /polls/
""".splitlines()


def parsed(text: str) -> dict[str, Sequence]:
    found = parse_sequences(text.splitlines())
    assert isinstance(found, dict)
    return found


def test_a_body_without_titles_is_one_sequence():
    body = ["together:", "   browser: GET /", "   new client: GET /", "browser: close"]
    assert parse_sequences(body) == parse_sequence(body)


def test_titles_name_sequences_in_the_order_of_the_page():
    found = parsed("\n".join(BODY))
    assert list(found) == ["new connections", "keep-alive"]
    assert found["keep-alive"].labels == ("one",)


def test_a_titled_sequence_is_equal_to_the_same_without_a_title():
    steps = "6 x new client: GET /polls/\ntogether:\n  browser: GET /\n  new client: GET /"
    assert parsed("\n".join(BODY))["new connections"] == parse_sequence(steps)


def test_lines_are_counted_from_the_beginning_of_the_body():
    found = parsed("\n".join(BODY))
    assert [BODY[step.line].split()[0] for step in found["new connections"].steps] == ["6", "together:"]
    assert [BODY[request.line].strip() for request in found["keep-alive"].requests()] == [
        "browser: GET /polls/ as one",
        "browser: GET /polls/",
    ]


def test_the_text_of_a_sequence_has_neither_title_nor_what_belongs_to_the_next():
    text = parsed("\n".join(BODY))["new connections"].text
    assert text.splitlines() == [
        "6 x new client: GET /polls/",
        "together:",
        "    browser: GET /",
        "    new client: GET /",
    ]


def test_a_title_may_have_a_colon_and_blanks():
    assert list(parsed("six:   one after another\n  browser: GET /")) == ["six: one after another"]


@pytest.mark.parametrize(
    ("body", "line", "told"),
    [
        ("one\n  browser: GET /\nbrowser: GET /", 2, "the step 'browser: GET /' stands among titled sequences"),
        ("browser: GET /\none\n  browser: GET /", 0, "indent it below a title, or give no sequence a title"),
        (
            "one\n  browser: GET /\ntogether:\n  a: GET /\n  b: GET /",
            2,
            "the step 'together:' stands among titled sequences",
        ),
        ("one\n  browser: GET /\ntwo", 2, "'two' is neither a step nor a title with steps below it"),
        ("one\n  a: GET /\n\none\n  b: GET /", 3, "the title 'one' is given twice"),
        ("one\n  a: GET /\n# why\nOne  \n  b: GTE /", 4, "'GTE' is not an HTTP method"),
        ("one\n  a: GET /\n    b: GET /", 2, "unexpected indentation before 'b: GET /'"),
        ("one\n   # nothing\ntwo\n  a: GET /", 0, "'one' is neither a step nor a title"),
        ("together\n  a: GET /\n  b: GET /", 0, "'together' cannot be a title; did you mean 'together:'?"),
        ("togehter:\n  a: GET /\n  b: GET /", 0, "did you mean 'together:'?"),
        ("wait\n  a: GET /", 0, "'wait' cannot be a title; write a pause as in 'wait 1.5s'"),
        ("a=b\n  a: GET /", 0, "'a=b' cannot be a title, with '=' in it"),
        (f"{'x' * 61}\n  a: GET /", 0, "with 61 characters"),
        ("browser: GET /\n   browser: GET /", 1, "unexpected indentation"),
        ("  browser: GET /\none\n  browser: GET /", 0, "unexpected indentation before 'browser: GET /'"),
        (
            "- browser: GET /\n  browser: GET /",
            0,
            "'- browser' cannot name a client; put no mark before a step",
        ),
        ("two\n  a: GET /\n2 new client: GET /\n  a: GET /", 2, "'2 x new client: GET /'"),
        ("", 0, "the sequence has no step"),
        ("# nothing\n", 0, "the sequence has no step"),
    ],
)
def test_the_first_line_that_is_wrong_is_told(body, line, told):
    with pytest.raises(SequenceError) as caught:
        parse_sequences(body.splitlines())
    assert told in str(caught.value)
    assert caught.value.line == line
