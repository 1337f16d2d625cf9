"""What people write in a sequence, and what they are told where it cannot be read."""

import pickle
from textwrap import dedent

import pytest

from sphinx_djconn.claims.functions import FUNCTIONS
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.lexer import SequenceError
from sphinx_djconn.scenario.model import Close, DatabaseFault, Reload, Request, Sequence, Together, Wait
from sphinx_djconn.scenario.request import RESERVED_LABELS
from sphinx_djconn.trace.fact_table import FACTS


def error_of(text: str) -> SequenceError:
    with pytest.raises(SequenceError) as caught:
        parse_sequence(text)
    return caught.value


# What can be written.


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("browser: GET /polls/", Request("browser", "GET", "/polls/")),
        (
            "browser: POST /polls/ -> 201 as made",
            Request("browser", "POST", "/polls/", status=201, label="made"),
        ),
        ("browser: GET /polls/ as first", Request("browser", "GET", "/polls/", label="first")),
        ("6 x browser: GET /polls/", Request("browser", "GET", "/polls/", count=6)),
        ("6 x new client: GET /polls/", Request(None, "GET", "/polls/", count=6)),
        ("1 x browser: GET / as only", Request("browser", "GET", "/", label="only")),
        ("100000 x new client: GET /", Request(None, "GET", "/", count=100_000)),
        ("new client: GET /", Request(None, "GET", "/")),
        ("new   client : GET /", Request(None, "GET", "/")),
        ("Ada-s_2nd-browser: GET /", Request("Ada-s_2nd-browser", "GET", "/")),
        ("zoë: GET /", Request("zoë", "GET", "/")),
        ("newcomer: GET /", Request("newcomer", "GET", "/")),
        ("news-client: GET /", Request("news-client", "GET", "/")),
        ("a: GET /?next=/a:b&x=1%23y", Request("a", "GET", "/?next=/a:b&x=1%23y")),
        ("a:GET\t/  ->  404", Request("a", "GET", "/", status=404)),
        ("a: TRACE /", Request("a", "TRACE", "/")),
        ("a: GET / -> 100", Request("a", "GET", "/", status=100)),
        ("a: GET / -> 599", Request("a", "GET", "/", status=599)),
        (
            "a: POST /login/ with username=ada&password=ada -> 302 as login",
            Request("a", "POST", "/login/", "username=ada&password=ada", 302, "login"),
        ),
        (
            'a: POST /x with {"say": "b -> 200 as c", "n": [1, 2]} -> 201 as d',
            Request("a", "POST", "/x", '{"say": "b -> 200 as c", "n": [1, 2]}', 201, "d"),
        ),
        ("a: PUT /x with [1, 2]", Request("a", "PUT", "/x", "[1, 2]")),
        ("wait 1.5s", Wait(1.5)),
        ("wait 500ms", Wait(0.5)),
        ("wait .5 s", Wait(0.5)),
        ("wait 3600s", Wait(3600)),
        ("reload", Reload()),
        ("database: end sessions", DatabaseFault("end sessions")),
        ("database:  end  sessions", DatabaseFault("end sessions")),
        ("database: restart", DatabaseFault("restart")),
    ],
)
def test_a_step_is_read(line: str, step: object) -> None:
    assert parse_sequence(line).steps == (step,)


def test_a_client_closes_after_a_request() -> None:
    assert parse_sequence("a: GET /\na: close").steps[1] == Close("a")


def test_a_client_of_a_meeting_can_close() -> None:
    text = "together:\n  a: GET /\n  b: GET /\nb: close"
    assert parse_sequence(text).steps[1] == Close("b")


@pytest.mark.parametrize("indent", ["    ", "\t", "  ", " "])
def test_the_indented_requests_are_together(indent: str) -> None:
    text = "\n".join(["together:", f"{indent}browser: GET /a", f"{indent}4 x new client: GET /b", "reload"])
    assert parse_sequence(text).steps == (
        Together((Request("browser", "GET", "/a"), Request(None, "GET", "/b", count=4))),
        Reload(),
    )


def test_a_repeated_new_client_alone_is_a_meeting() -> None:
    together = parse_sequence("together:\n    2 x new client: GET /").steps[0]
    assert together == Together((Request(None, "GET", "/", count=2),))


def test_two_meetings_follow_each_other() -> None:
    text = "together:\n  2 x new client: GET /a\ntogether:\n    2 x new client: GET /b"
    assert [type(step) for step in parse_sequence(text).steps] == [Together, Together]


def test_blank_lines_and_comments_are_passed_over_and_lines_are_counted_with_them() -> None:
    text = dedent(
        """\
        # first, the list

        browser: GET /polls/
        together:
              # a comment may stand anywhere

            browser: GET /a
        # even here
            new client: GET /b

        wait 1s
        """
    )
    first, together, wait = parse_sequence(text).steps
    assert isinstance(together, Together)
    lines = [first.line, together.line, *(one.line for one in together.requests), wait.line]
    assert lines == [2, 3, 6, 8, 10]


def test_lines_are_taken_as_well_as_text_and_the_text_is_kept() -> None:
    lines = ["# a comment", "a: GET /", ""]
    assert parse_sequence(lines) == parse_sequence("\n".join(lines))
    assert parse_sequence(lines).text == "# a comment\na: GET /\n"


def test_indentation_that_all_lines_share_does_not_count() -> None:
    assert parse_sequence("    a: GET /\n    reload\n") == parse_sequence("a: GET /\nreload")


def test_a_sequence_is_frozen_hashable_and_can_be_sent() -> None:
    sequence = parse_sequence("a: GET /\ntogether:\n  2 x new client: GET /")
    assert isinstance(sequence, Sequence)
    assert pickle.loads(pickle.dumps(sequence)) == sequence
    assert len({sequence, parse_sequence("a: GET /\n\ntogether:\n  2 x new client: GET /")}) == 1


# What cannot, and what is said then.

ERRORS = [
    # nothing
    ("", 0, "the sequence has no step; write at least one, as in 'browser: GET /polls/'"),
    ("\n  \n# only a comment\n", 0, "the sequence has no step"),
    # indentation
    (
        "a: GET /\n  b: GET /",
        1,
        "unexpected indentation before 'b: GET /'; only the requests below",
    ),
    ("  a: GET /\nb: GET /", 0, "unexpected indentation before 'a: GET /'"),
    (
        "together:\n  a: GET /\n    b: GET /",
        2,
        "unexpected indentation before 'b: GET /'; indent all requests of one 'together:'",
    ),
    ("together:\n    a: GET /\n  b: GET /", 2, "unexpected indentation before 'b: GET /'"),
    # together
    ("together:", 0, "'together:' needs at least two requests; write them below it, indented"),
    ("together:\n  a: GET /\nb: GET /", 0, "'together:' needs at least two requests"),
    ("a: GET /\ntogether:\n  1 x new client: GET /", 1, "'together:' needs at least two requests"),
    (
        "together:\n  a: GET /\n  a: GET /",
        2,
        (
            "client 'a' cannot send several requests together: it has one HTTP connection at a time; "
            "write 'N x new client', or name another client"
        ),
    ),
    (
        "together:\n  b: GET /\n  2 x a: GET /",
        2,
        "client 'a' cannot send several requests together",
    ),
    ("together:\n  a: GET /\n  a: close", 2, "'a: close' cannot happen together with requests"),
    ("together:\n  wait 1s\n  a: GET /", 1, "'wait 1s' cannot happen together with requests"),
    (
        "together:\n  reload",
        1,
        "'reload' cannot happen together with requests; leave only requests",
    ),
    ("together:\n  database: restart", 1, "'database: restart' cannot happen together"),
    ("together:\n  a: GET /\n  together:\n    b: GET /", 2, "'together:' cannot happen together"),
    (
        "together: a: GET /",
        0,
        "'together' cannot name a client; write 'together:' alone on its line",
    ),
    ("Together:\n", 0, "'Together' cannot name a client; write 'together:' alone on its line"),
    # repetition
    ("0 x a: GET /", 0, "'0' is not a valid number of requests; write a whole number from 1 to 100000"),
    ("-1 x a: GET /", 0, "'-1' is not a valid number of requests"),
    ("1.5 x a: GET /", 0, "'1.5' is not a valid number of requests"),
    ("100001 x a: GET /", 0, "'100001' is not a valid number of requests"),
    ("9" * 5000 + " x a: GET /", 0, "9…' is not a valid number of requests"),
    ("1_0 x a: GET /", 0, "'1_0' is not a valid number of requests"),
    (
        "6 x a: GET / as b",
        0,
        "label 'b' names 6 requests, so it would be ambiguous in an expression; write",
    ),
    ("a: GET /\n3 x a: close", 1, "'a: close' cannot be repeated; only requests can, as in '3 x "),
    ("3 x reload", 0, "'reload' cannot be repeated"),
    ("3 x wait 1s", 0, "'wait 1s' cannot be repeated"),
    ("3 x database: restart", 0, "'database: restart' cannot be repeated"),
    ("3 x together:\n  a: GET /", 0, "'together' cannot name a client; write 'together:' alone"),
    ("2 x together:", 0, "'together' cannot name a client; write 'together:' alone"),
    # clients
    ("new client: close", 0, "a new client has no connection to close; name the client, as in"),
    ("New client: GET /", 0, "'New client' cannot name a client; write 'new client' for clients"),
    ("new clients: GET /", 0, "'new clients' cannot name a client"),
    ("new-client: GET /", 0, "'new-client' cannot name a client"),
    ("new client 2: GET /", 0, "'new client 2' cannot name a client"),
    ("database: GET /", 0, "'database' cannot name a client; write one of 'database: end sessions',"),
    ("database: end session", 0, "'database' cannot name a client; write one of 'database: end sessions',"),
    ("reload:", 0, "'reload' cannot name a client; write 'reload' alone on its line"),
    ("wait: 1s", 0, "'wait' cannot name a client; write a pause as in 'wait 1.5s'"),
    (
        "a/b: GET /",
        0,
        (
            "'a/b' cannot name a client; begin with a letter, then use letters, digits, '-' and '_', and no "
            "spaces, with a colon after the name: 'a-b: GET /'"
        ),
    ),
    ("a: GET /\nA: GET /", 1, "clients 'a' and 'A' have almost the same name; write one name for one client"),
    ("client1: GET /\ntogether:\n  b: GET /\n  client-1: GET /", 3, "clients 'client1' and 'client-1' have"),
    (":runs: 3\n\na: GET /", 0, "':runs: 3' is not a step; write options directly below the first line of the"),
    (": GET /", 0, "': GET /' does not say which client sends it; begin with the client"),
    ("GET /a:b", 0, "'GET /a:b' does not say which client sends it"),
    ("a: close", 0, "client 'a' has no connection to close; write one of its requests before it"),
    ("a: GET /\nb: GET /\n\nc: close", 3, "client 'c' has no connection to close"),
    ("a: GET /\na: close\na: close", 2, "client 'a' has no connection to close"),
    # methods and paths
    ("a: get /", 0, "'get' is not an HTTP method; did you mean 'GET'?"),
    ("a: PSOT /", 0, "'PSOT' is not an HTTP method; did you mean 'POST'?"),
    ("a: FROB /", 0, "'FROB' is not an HTTP method; write one of GET, HEAD, POST, PUT, PATCH,"),
    (
        "a: /polls/",
        0,
        "'a: /polls/' names no method; write it before the path, as in 'GET /polls/'",
    ),
    ("a: GET", 0, "no path follows in 'a: GET'; write the path alone"),
    (
        "a: GET polls/",
        0,
        (
            "path 'polls/' does not begin with '/' in 'a: GET polls/'; "
            "write the path alone, without scheme and host, as in 'GET /polls/'"
        ),
    ),
    ("a: GET http://localhost/", 0, "path 'http://localhost/' does not begin with '/'"),
    (
        "a: GET /polls/->200",
        0,
        "the path '/polls/->200' contains an arrow; put a space on both sides of '->', and write '%3E' for",
    ),
    (
        "a: GET /polls/#it",
        0,
        "no client sends '#it', the fragment of the URL, to a server; leave it out, write '%23' for",
    ),
    ("a: POST / with a=b->200", 0, "the form 'a=b->200' contains an arrow; put a space on both sides"),
    ("a: GET -> 200", 0, "path '->' does not begin with '/'"),
    # what follows the path
    ("a: POST / with", 0, "'' after 'with' is neither a form nor JSON; write 'with name=ada"),
    ("a: POST / with -> 200", 0, "'->' after 'with' is neither a form nor JSON"),
    ("a: POST / with ada", 0, "'ada' after 'with' is neither a form nor JSON"),
    ("a: POST / with {'a': 1}", 0, "after 'with' is not valid JSON: Expecting property name"),
    ("a: POST / with {", 0, "'{' after 'with' is not valid JSON"),
    ("a: POST / with " + "[" * 100_000, 0, "[…' after 'with' is not valid JSON"),
    ("a: POST / with [1]as b", 0, "'as b' follows the JSON; put a space after the body"),
    ("a: GET / ->", 0, "'' after '->' is not a status code; write one from 100 to 599"),
    ("a: GET / -> 99", 0, "'99' after '->' is not a status code"),
    ("a: GET / -> 600", 0, "'600' after '->' is not a status code"),
    ("a: GET / -> OK", 0, "'OK' after '->' is not a status code"),
    ("a: GET / -> ٢٠٠", 0, "after '->' is not a status code"),
    (
        "a: GET / ->200",
        0,
        "'->200' at the end of the request is not understood; write 'METHOD /path",
    ),
    ("a: GET / as b -> 200", 0, "'-> 200' at the end of the request is not understood"),
    ("a: GET / 200", 0, "'200' at the end of the request is not understood"),
    ("a: POST / with a=b c", 0, "'c' at the end of the request is not understood"),
    (
        "a: GET / # list",
        0,
        "'# list' at the end of the request is not understood; put a comment on",
    ),
    # labels
    ("a: GET / as", 0, "'' after 'as' cannot be a label; use letters, digits and '_'"),
    ("a: GET / as 1st", 0, "'1st' after 'as' cannot be a label"),
    ("a: GET / as a.b", 0, "'a.b' after 'as' cannot be a label"),
    ("a: GET / as class", 0, "'class' after 'as' cannot be a label"),
    ("a: GET / as None", 0, "'None' after 'as' cannot be a label"),
    ("a: GET / as db", 0, "label 'db' already has a meaning in expressions; choose another, as in"),
    ("a: GET / as overlap", 0, "label 'overlap' already has a meaning in expressions"),
    ("a: GET / as b\na: GET / as b", 1, "label 'b' is given twice; give each request"),
    ("a: GET / as fi\nreload\na: GET / as ﬁ", 2, "label 'fi' is given twice"),
    ("a: GET / as b\ntogether:\n  a: GET /\n  b: GET / as b", 3, "label 'b' is given twice"),
    # pauses
    ("wait", 0, "'wait' is not a valid pause; write more than 0 and at most 3600 seconds"),
    ("wait 5", 0, "'wait 5' is not a valid pause"),
    ("wait 0s", 0, "'wait 0s' is not a valid pause"),
    ("wait 0.0ms", 0, "'wait 0.0ms' is not a valid pause"),
    ("wait -1s", 0, "'wait -1s' is not a valid pause"),
    ("wait 3600.1s", 0, "'wait 3600.1s' is not a valid pause"),
    ("wait " + "9" * 400 + "s", 0, "is not a valid pause"),
    ("wait 2min", 0, "'wait 2min' is not a valid pause"),
    ("wait nans", 0, "'wait nans' is not a valid pause"),
    # steps
    ("relaod", 0, "'relaod' is not a step; did you mean 'reload'?"),
    ("together", 0, "'together' is not a step; did you mean 'together:'?"),
    ("togehter:", 0, "'togehter:' is not a step; did you mean 'together:'?"),
    ("wiat 1.5s", 0, "'wiat 1.5s' is not a step; did you mean 'wait 1.5s'?"),
    ("databse: restart", 0, "'databse: restart' is not a step; did you mean 'database: restart'?"),
    (
        "browser GET /polls/",
        0,
        "'browser GET /polls/' is not a step; did you mean 'browser: GET /polls",
    ),
    ("ada: cloze", 0, "'ada: cloze' is not a step; did you mean 'ada: close'?"),
    ("ada: Close", 0, "'ada: Close' is not a step; did you mean 'ada: close'?"),
    ("frobnicate", 0, "'frobnicate' is not a step; write a step as in 'browser: GET /polls/'"),
    ("zz:", 0, "'zz:' is not a step"),
    ("q" * 1_000_000, 0, "q…' is not a step"),
]


NOT_CLIENTS = {
    "2 new client": "2 x new client",
    "2 new clients": "2 x new client",
    "two new clients": "2 x new client",
    "2x new client": "2 x new client",
    "2 X new client": "2 x new client",
    "2 × new client": "2 x new client",
    "2 * new client": "2 x new client",
    "2 times new client": "2 x new client",
    "new client x 2": "2 x new client",
    "new client*2": "2 x new client",
    "2 x new clients": "2 x new client",
    "2 browser": "2 x browser",
    "2browser": "2 x browser",
    "2xbrowser": "2 x browser",
    "2 x": "2 x browser",
    "a new client": "new client",
    "the new client": "new client",
    "new clients": "new client",
    "New Client": "new client",
    "newclient": "new client",
    "new client 2": "new client",
    "- browser": "browser",
    "* browser": "browser",
    "1. browser": "browser",
    "- 2 x browser": "2 x browser",
    "- new client": "new client",
    "other browser": "other-browser",
    "client 2": "client-2",
    "2": "client-2",
    "2nd": "client-2nd",
    "_browser": "browser",
    "**browser**": "browser",
    "browser and other": "browser-and-other",
}
"""What can be taken for a client, and what it has to be."""


@pytest.mark.parametrize("form", ["{}: GET /polls/", "{}: POST /polls/ with a=b -> 201", "{}: close"])
@pytest.mark.parametrize("name", NOT_CLIENTS)
def test_what_cannot_name_a_client_is_shown_as_it_should_be(name: str, form: str) -> None:
    meant = f"'{form.format(NOT_CLIENTS[name])}'"
    assert meant in str(error_of(form.format(name)))


@pytest.mark.parametrize("name", NOT_CLIENTS)
def test_what_cannot_name_a_client_cannot_in_a_meeting(name: str) -> None:
    error = error_of(f"together:\n    other: GET /\n    {name}: GET /")
    assert f"'{NOT_CLIENTS[name]}: GET /'" in str(error)
    assert error.line == 2


@pytest.mark.parametrize("meant", sorted({*NOT_CLIENTS.values()}))
def test_what_a_message_shows_can_be_read(meant: str) -> None:
    assert parse_sequence(f"{meant}: GET /polls/").steps


@pytest.mark.parametrize(("text", "line", "said"), ERRORS, ids=[f"{text[:30]!r}" for text, _, _ in ERRORS])
def test_what_cannot_be_read_is_told_with_its_line(text: str, line: int, said: str) -> None:
    error = error_of(text)
    assert said in str(error)
    assert error.line == line
    assert "\n" not in str(error)
    assert len(str(error)) < 400


def test_an_error_carries_its_parts_and_can_be_sent() -> None:
    error = error_of("reload\nrelaod")
    assert (error.message, error.hint, error.line) == (
        "'relaod' is not a step",
        "did you mean 'reload'?",
        1,
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.line) == (str(error), 1)


def test_the_first_wrong_line_is_told() -> None:
    assert error_of("a: GET /\nrelaod\nb: FROB /").line == 1


def test_no_label_can_hide_what_an_expression_knows() -> None:
    assert {name.partition(".")[0] for name in FACTS} | set(FUNCTIONS) == RESERVED_LABELS
