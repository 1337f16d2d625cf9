"""Ports and process ids are the machine's; a status or a size that equals one is not."""

import pytest

from sphinx_djconn.lab.events.sanitizer import Sanitizer


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('"GET /polls/ HTTP/1.1" 200 406', '"GET /polls/ HTTP/1.1" 200 406'),
        ("Listening at http://127.0.0.1:4060/", "Listening at http://127.0.0.1:<port>/"),
        ("Broken pipe from ('127.0.0.1', 4060)", "Broken pipe from ('127.0.0.1', <port>)"),
        ("[406] [INFO] Booting worker with pid: 406", "[<pid>] [INFO] Booting worker with pid: <pid>"),
        ("[4061] and :40600", "[4061] and :40600"),
        ("spawned uWSGI http 1 (pid: 20687)", "spawned uWSGI http 1 (pid: <pid>)"),
        ("[mpm_event:notice] [pid 77:tid 5059]", "[mpm_event:notice] [pid <pid>:tid <pid>]"),
        ("bound to TCP address 127.0.0.1:44177 (port", "bound to TCP address 127.0.0.1:<port> (port"),
        ("at http://127.0.0.1:8000/", "at http://127.0.0.1:8000/"),
        ("interpreter 0x7f88f76ef8 is 0xff", "interpreter <address> is 0xff"),
    ],
)
def test_a_number_is_replaced_only_where_it_can_be_a_port_or_a_process(line, shown):
    assert Sanitizer({}).lines(line.encode(), ports=[4060], pids=[406, 200]) == (shown,)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("[Sun Nov 22 03:23:31.791995 2026] ready", "[<time>] ready"),
        ("*** on [Sun Nov  2 03:23:20 2026] ***", "*** on [<time>] ***"),
        ("generated 21 bytes in 154 msecs (1 switches)", "generated 21 bytes in <time> msecs (1 switches)"),
        ("ready in 1 seconds", "ready in <time> seconds"),
        ("500 GET /query (127.0.0.1) 36.38ms", "500 GET /query (127.0.0.1) <time>ms"),
        ("HTTP GET / 200 [0.02, 127.0.0.1:4060]", "HTTP GET / 200 [<time>, 127.0.0.1:<port>]"),
        ("retried 3 times, version 5.2.19, 12 rows", "retried 3 times, version 5.2.19, 12 rows"),
    ],
)
def test_what_the_clock_says_is_replaced_and_other_figures_are_not(line, shown):
    assert Sanitizer({}).lines(line.encode(), ports=[4060], pids=[406, 200]) == (shown,)
