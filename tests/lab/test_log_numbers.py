"""Ports and process ids are the machine's; a status or a size that equals one is not."""

import pytest

from sphinx_djconn.lab.logs import Sanitizer


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('"GET /polls/ HTTP/1.1" 200 406', '"GET /polls/ HTTP/1.1" 200 406'),
        ("Listening at http://127.0.0.1:4060/", "Listening at http://127.0.0.1:<port>/"),
        ("Broken pipe from ('127.0.0.1', 4060)", "Broken pipe from ('127.0.0.1', <port>)"),
        ("[406] [INFO] Booting worker with pid: 406", "[<pid>] [INFO] Booting worker with pid: <pid>"),
        ("[4061] and :40600", "[4061] and :40600"),
    ],
)
def test_a_number_is_replaced_only_where_it_can_be_a_port_or_a_process(line, shown):
    assert Sanitizer({}).lines(line.encode(), ports=[4060], pids=[406, 200]) == (shown,)
