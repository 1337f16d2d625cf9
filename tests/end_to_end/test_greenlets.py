"""Greenlets: a connection that a request has opened is its greenlet's, and nobody's once that has ended."""

from contextlib import closing
from pathlib import Path

import pytest

from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import facts_of
from tests.end_to_end.server_witness import skip_where_absent


@pytest.mark.exhaustive
def test_the_connection_of_each_greenlet_that_has_ended_is_abandoned_in_every_run(databases: Path) -> None:
    skip_where_absent("gunicorn-gevent")
    sequence = parse_sequence("6 x new client: GET /query/\nbrowser: GET /query/")
    scenario = Scenario(sequence, server="gunicorn-gevent", conn_max_age=None, runs=5)
    with closing(Laboratory(Profiles(), databases)) as laboratory:
        recording = laboratory.run(scenario)
    assert recording.notes == ()
    for run in recording.runs:
        figures = facts_of(run).figures
        assert (figures["db.opened"], figures["greenlets"]) == (7, 7)
        assert (figures["db.abandoned"], figures["db.open"]) == (6, 1)
