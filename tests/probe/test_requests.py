"""A request begins before Django looks at it and ends after its response was closed, always."""

import socket
import struct

import pytest

from tests.probe.instruments import HEADER, Client, until


def test_a_request_begins_and_ends_once(server):
    visit = server.get("/polls/")
    assert visit.kinds[0] == "request.begin"
    assert visit.kinds[-1] == "request.end"
    assert visit.count("request.begin") == visit.count("request.end") == 1


def test_django_never_sees_the_header(server):
    with Client(server) as client:
        assert client.get("/headers/").json == {}


@pytest.mark.parametrize("header", ["", "x", "-1", "7x", "7 meet meet", "7 9", "meet", "²", "9" * 5000])
def test_a_header_that_is_not_the_labs_is_no_request_of_the_labs(server, header):
    before = server.sink.count("request.begin")
    connection = socket.create_connection(("127.0.0.1", server.port))
    with connection:
        request = f"GET /headers/ HTTP/1.0\r\n{HEADER}: {header}\r\n\r\n"
        connection.sendall(request.encode("latin-1"))
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert answer.endswith(b"{}")
    assert server.sink.count("request.begin") == before


def test_a_meeting_is_entered_and_left(server):
    with Client(server) as client:
        visit = client.receive(client.send("/plain/", "meet"))
    assert visit.kinds == ["request.begin", "request.end"]
    assert server.sink.meetings == [(visit.number, "arrival"), (visit.number, "departure")]


def test_a_streamed_response_ends_after_its_last_line(server):
    visit = server.get("/stream-of/2/")
    assert visit.status == 200
    assert visit.kinds[-1] == "request.end"
    assert visit.count("db.open") == 1


def test_a_file_is_closed_before_its_request_ends(server):
    visit = server.get("/file/")
    # The file makes its query when it is closed.
    assert visit.text == "a file of some bytes"
    assert visit.kinds[-3:] == ["db.open", "db.close", "request.end"]


def test_a_static_file_is_a_request(server):
    visit = server.get("/static/admin/css/base.css")
    assert visit.status == 200
    assert visit.kinds == ["request.begin", "request.end"]


def test_a_missing_static_file_is_a_request(server):
    visit = server.get("/static/no-such-file.css")
    assert visit.status == 404
    assert visit.kinds == ["request.begin", "request.end"]


def test_a_view_that_leaves_ends_its_request(server):
    visit = server.get("/exit/")
    assert visit.status == 500
    assert visit.kinds[-1] == "request.end"
    assert visit.count("request.end") == 1


def test_a_view_that_fails_ends_its_request(server):
    visit = server.get("/broken-query/")
    assert visit.status == 500
    assert visit.kinds[-1] == "request.end"


def test_a_client_that_hangs_up_in_the_middle_ends_its_request(server):
    with Client(server) as client:
        number = client.send("/stream-of/65536/")
        reset = struct.pack("ii", 1, 0)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    assert server.events_of(number)[-1]["k"] == "request.end"


def test_a_response_that_is_never_closed_has_no_end(server):
    with Client(server) as client:
        number = client.send("/never-closed/")
        client.read()
        native = server.tasks()
        following = client.get("/plain/")
    assert following.kinds == ["request.begin", "request.end"]
    until(lambda: len(server.tasks()) < len(native), "the end of the thread")
    server.sink.drain()
    assert not server.ended(number)
    assert server.sink.trace().entities.requests[number].ended is None


@pytest.mark.parametrize(("path", "views"), [("/plain/", 1), ("/polls/999/", 1), ("/nowhere/", 0)])
def test_a_view_begins_and_ends_within_its_request(server, path, views):
    visit = server.get(path)
    told = [event["k"] for event in visit.events if event["k"].startswith("request.")]
    assert told == ["request.begin", *["request.view", "request.view.end"] * views, "request.end"]


def test_a_response_that_is_closed_too_late_ends_no_other_request(server):
    with Client(server) as client:
        number = client.send("/never-closed/")
        client.read()
        visit = client.get("/close-late/")
    assert visit.kinds[0] == "request.begin"
    assert visit.kinds[-2:] == ["db.open", "request.end"]
    ends = [event for event in server.sink.events if event["k"] == "request.end"]
    assert [event.get("r") for event in ends].count(number) == 1


def test_a_client_within_a_view_does_not_end_the_request(server):
    visit = server.get("/client-within/")
    assert visit.json == {"inner": {"answer": 1}}
    assert visit.count("request.end") == 1
    assert visit.kinds[-1] == "request.end"
    phases = {event["w"]: event["phase"] for event in visit.told("db.close")}
    assert list(phases.values())[-1] == "end"


def test_each_request_has_the_thread_of_its_connection(server):
    with Client(server) as client:
        port = client.port
        visits = [client.get("/plain/") for _ in range(3)]
    threads = {event["th"] for visit in visits for event in visit.events}
    (served,) = {
        event["th"] for event in server.sink.events if event["k"] == "http.thread" and event["port"] == port
    }
    assert threads == {served}
