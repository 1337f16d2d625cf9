import pytest
from docutils import nodes

from sphinx_djconn.evidence.failures import failure
from sphinx_djconn.evidence.text import printable
from tests.evidence.evidence_pages import lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – and ünïcode", "plain – and ünïcode"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\tb", "a       b"),
        ("nul \x00", r"nul \x00"),
        ("lone \udcff", r"lone \udcff"),
        ("turned \u202e", r"turned \u202e"),
        ("replaced \ufffd", r"replaced \ufffd"),
        ("two\nlines", r"two\nlines"),
    ],
)
def test_every_character_can_be_seen(text, shown):
    assert printable(text) == shown


def test_a_long_line_is_cut_and_says_how_much_is_missing():
    assert printable("x" * 5000) == "x" * 400 + "… (4,600 more characters)"


def test_a_failure_shows_the_message_and_the_end_of_the_log():
    (warning,) = failure("the server exited", [f"line {number}" for number in range(30)])
    assert isinstance(warning, nodes.warning)
    assert warning.children[0].astext() == "the server exited"
    assert lines([warning]) == [f"line {number}" for number in range(10, 30)]
    assert "after 10 lines before" in warning.astext()


def test_a_failure_without_a_log_shows_the_message_alone():
    (warning,) = failure("the server exited", ["", " "])
    assert len(warning.children) == 1


def test_every_line_of_a_message_is_shown():
    (warning,) = failure("the settings raised\nImportError: no module", [])
    assert warning.astext().split() == ["the", "settings", "raised", "ImportError:", "no", "module"]
