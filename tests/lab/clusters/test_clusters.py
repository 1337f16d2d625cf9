"""A cluster does what scenarios need, and one scenario does not disturb another."""

import json
import subprocess
import sys
import threading
import time

import psutil
import pytest

from sphinx_djconn.lab.clusters.cluster import Cluster
from sphinx_djconn.lab.clusters.clusters import Clusters
from sphinx_djconn.lab.clusters.engine import Connection, Engine, rows
from sphinx_djconn.lab.errors import ClusterError, ProfileError
from tests.support.database_servers import connect

PID = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT connection_id()"}


def pid(cluster: Cluster, connection: Connection) -> int:
    """Return what the session calls itself."""
    return int(rows(connection, PID[cluster.kind])[0][0])


def pids(cluster: Cluster, database: str) -> set[int]:
    return {each.pid for each in cluster.sessions(database)}


def test_sessions_are_those_of_the_database_and_match_connections_one_by_one(cluster: Cluster) -> None:
    cluster.create_database("witness_a")
    cluster.create_database("witness_b")
    mine = [connect(cluster, "witness_a") for _ in range(3)]
    other = connect(cluster, "witness_b")
    assert pids(cluster, "witness_a") == {pid(cluster, each) for each in mine}
    assert pids(cluster, "witness_b") == {pid(cluster, other)}
    for each in [*mine, other]:
        each.close()


def test_a_session_that_was_seen_to_be_closed_is_not_counted_though_the_server_takes_its_time(
    cluster: Cluster,
) -> None:
    cluster.create_database("closing")
    for _ in range(20):
        stays, goes = connect(cluster, "closing"), connect(cluster, "closing")
        closed = pid(cluster, goes)
        goes.close()
        left = {each.pid for each in cluster.sessions("closing", closed=[closed])}
        assert left == {pid(cluster, stays)}
        last = pid(cluster, stays)
        stays.close()
        assert cluster.sessions("closing", closed=[last]) == ()


def test_a_session_that_does_not_end_is_returned_after_the_wait(cluster: Cluster) -> None:
    cluster.create_database("staying")
    connection = connect(cluster, "staying")
    mine = pid(cluster, connection)
    began = time.monotonic()
    assert [each.pid for each in cluster.sessions("staying", closed=[mine], seconds=0.2)] == [mine]
    assert time.monotonic() - began >= 0.2
    connection.close()


def test_postgresql_tells_when_a_session_began_and_its_state(cluster: Cluster) -> None:
    cluster.create_database("telling")
    connection = connect(cluster, "telling")
    (session,) = cluster.sessions("telling")
    if cluster.kind == "postgresql":
        assert session.state == "idle"
        assert session.application == "sphinx_djconn"
        assert session.began is not None
        assert abs(time.time() - session.began) < 60
    else:
        assert session.state == "Sleep"
        assert session.began is None
    connection.close()


def test_ending_the_sessions_of_one_database_leaves_the_others(cluster: Cluster, engine: Engine) -> None:
    cluster.create_database("ended")
    cluster.create_database("spared")
    victims, spared = [connect(cluster, "ended") for _ in range(4)], connect(cluster, "spared")
    expected = {pid(cluster, each) for each in victims}
    assert {each.pid for each in cluster.end_sessions("ended")} == expected
    assert cluster.sessions("ended") == ()
    for each in victims:
        with pytest.raises(engine.error):
            rows(each, "SELECT 1")
    assert rows(spared, "SELECT 1") == [(1,)]
    spared.close()


def test_a_restart_ends_sessions_and_keeps_data(clusters: Clusters, engine: Engine) -> None:
    cluster = clusters.own(engine.kind)
    cluster.create_database("kept")
    connection = connect(cluster, "kept")
    rows(connection, "CREATE TABLE t (a integer)")
    rows(connection, "INSERT INTO t VALUES (7)")
    cluster.restart()
    with pytest.raises(engine.error):
        rows(connection, "SELECT 1")
    assert cluster.sessions("kept") == ()
    again = connect(cluster, "kept")
    assert rows(again, "SELECT a FROM t") == [(7,)]
    again.close()
    cluster.close()


def test_a_copy_has_tables_rows_and_keys_and_goes_its_own_way(cluster: Cluster, engine: Engine) -> None:
    key = "integer AUTO_INCREMENT" if cluster.kind == "mariadb" else "serial"
    cluster.create_database("original")
    connection = connect(cluster, "original")
    rows(connection, f"CREATE TABLE z_parent (id {key} PRIMARY KEY, name varchar(50))")
    rows(connection, f"CREATE TABLE child (id {key} PRIMARY KEY, parent_id integer NOT NULL)")
    rows(connection, "ALTER TABLE child ADD FOREIGN KEY (parent_id) REFERENCES z_parent (id)")
    rows(connection, "ALTER TABLE child ADD twice integer GENERATED ALWAYS AS (parent_id * 2) STORED")
    rows(connection, "INSERT INTO z_parent (name) VALUES ('100% 日本')")
    rows(connection, "INSERT INTO child (parent_id) VALUES (1)")
    closed = pid(cluster, connection)
    connection.close()
    assert cluster.sessions("original", closed=[closed]) == ()
    cluster.create_database("copied", template="original")
    copy = connect(cluster, "copied")
    assert rows(copy, "SELECT id, name FROM z_parent") == [(1, "100% 日本")]
    assert rows(copy, "SELECT parent_id, twice FROM child") == [(1, 2)]
    with pytest.raises(engine.error):
        rows(copy, "INSERT INTO child (parent_id) VALUES (99)")
    rows(copy, "INSERT INTO z_parent (name) VALUES ('new')")
    assert rows(copy, "SELECT max(id) FROM z_parent") == [(2,)]
    original = connect(cluster, "original")
    assert rows(original, "SELECT count(*) FROM z_parent") == [(1,)]
    copy.close()
    original.close()


def test_a_database_that_is_dropped_is_gone_with_its_sessions(cluster: Cluster, engine: Engine) -> None:
    cluster.create_database("dropped")
    connection = connect(cluster, "dropped")
    cluster.drop_database("dropped")
    cluster.drop_database("dropped")
    with pytest.raises(engine.error):
        rows(connection, "SELECT 1")
    with pytest.raises(engine.error):
        connect(cluster, "dropped")


def test_an_application_can_hold_as_many_connections_as_were_said_and_the_witness_still_looks(
    clusters: Clusters, engine: Engine
) -> None:
    cluster = clusters.own(engine.kind, max_connections=3)
    cluster.create_database("few")
    held = [connect(cluster, "few") for _ in range(3)]
    with pytest.raises(engine.error):
        connect(cluster, "few")
    assert pids(cluster, "few") == {pid(cluster, each) for each in held}
    cluster._disconnect()
    assert len(cluster.sessions("few")) == 3
    for each in held:
        each.close()
    cluster.restart()
    held = [connect(cluster, "few") for _ in range(3)]
    with pytest.raises(engine.error):
        connect(cluster, "few")
    for each in held:
        each.close()
    cluster.close()


def test_an_application_is_no_administrator(cluster: Cluster, engine: Engine) -> None:
    cluster.create_database("modest")
    connection = connect(cluster, "modest")
    with pytest.raises(engine.error):
        rows(connection, "CREATE USER another")
    connection.close()


def test_django_connects_with_the_settings(cluster: Cluster) -> None:
    cluster.create_database("for_django")
    program = (
        "import json, sys\nfrom django.conf import settings\n"
        "settings.configure(DATABASES={'default': json.loads(sys.argv[1])})\n"
        "import django\ndjango.setup()\nfrom django.db import connection\n"
        "with connection.cursor() as cursor:\n    cursor.execute('SELECT 41 + 1')\n"
        "    print(cursor.fetchone()[0])"
    )
    argv = [sys.executable, "-W", "ignore", "-c", program, json.dumps(cluster.settings("for_django"))]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "42", done.stderr


def test_the_server_listens_on_no_network(cluster: Cluster) -> None:
    process = psutil.Process(cluster._server.process.pid)
    family = [process, *process.children(recursive=True)]
    assert [each.net_connections("inet") for each in family] == [[] for _ in family]


def test_many_threads_get_one_cluster(clusters: Clusters, engine: Engine) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(clusters.shared(engine.kind))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(each) for each in found}) == 1


def test_threads_can_make_databases_at_once(cluster: Cluster) -> None:
    threads = [threading.Thread(target=cluster.create_database, args=(f"at_once_{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [cluster.sessions(f"at_once_{n}") for n in range(6)] == [()] * 6
    for n in range(6):
        connect(cluster, f"at_once_{n}").close()


@pytest.mark.exhaustive
def test_warming_up_returns_at_once_and_closing_waits_for_what_was_begun(engine: Engine) -> None:
    clusters = Clusters()
    clusters.warm_up(engine.kind)
    future = clusters._shared[engine.kind, None]
    assert not future.done()
    clusters.close()
    server = future.result()._server
    assert not server.process.folder.path.exists()
    with pytest.raises(ClusterError, match="the build is over"):
        clusters.shared(engine.kind)


@pytest.mark.exhaustive
def test_two_builds_at_once_do_not_meet(engine: Engine) -> None:
    one, two = Clusters(), Clusters()
    one.warm_up(engine.kind)
    two.warm_up(engine.kind)
    for each in (one, two):
        each.shared(engine.kind).create_database("same")
    connection = connect(one.shared(engine.kind), "same")
    assert len(one.shared(engine.kind).sessions("same")) == 1
    assert two.shared(engine.kind).sessions("same") == ()
    connection.close()
    one.close()
    assert two.shared(engine.kind).sessions("same") == ()
    two.close()


def test_a_kind_that_there_is_not_is_named() -> None:
    clusters = Clusters()
    with pytest.raises(ProfileError, match="no database server `oracle`; there are postgresql, mariadb"):
        clusters.shared("oracle")
    clusters.close()


@pytest.mark.parametrize("name", ["", "A", "a-b", 'a"; DROP', "x" * 41, "1a"])
def test_a_name_that_would_need_care_is_refused(cluster: Cluster, name: str) -> None:
    with pytest.raises(ClusterError, match="is not a valid name of a database"):
        cluster.create_database(name)


def test_a_closed_cluster_says_so(clusters: Clusters, engine: Engine) -> None:
    cluster = clusters.own(engine.kind)
    cluster.close()
    cluster.close()
    with pytest.raises(ClusterError, match="has been closed"):
        cluster.sessions("any")
