"""What is known of a server's run without the probe: the kernel's tables, and what a view says of itself."""

from dataclasses import dataclass
from pathlib import Path

import psutil

from sphinx_djconn.lab.environments.environment import current
from sphinx_djconn.lab.profiles.servers import SERVERS
from sphinx_djconn.lab.requirements import check_installed
from tests.support.absence import needed

LISTENING, ESTABLISHED = "0A", "01"  # include/net/tcp_states.h of Linux

VIEWS = '''
import itertools
import weakref

SERIALS = itertools.count(1)
GREENLETS = weakref.WeakKeyDictionary()
FOLDER = os.path.dirname(__file__)


def greenlet():
    """Return a serial for the greenlet that is running; None where that is the thread itself."""
    if "greenlet" not in sys.modules:
        return None
    current = sys.modules["greenlet"].getcurrent()
    if current.parent is None:
        return None
    return GREENLETS.setdefault(current, next(SERIALS))


def myself(request):
    # Not threading.get_native_id(), which the probe calls: the kernel's own word.
    pid, _, task = os.readlink("/proc/thread-self").split("/")
    found = {"pid": int(pid), "task": int(task), "greenlet": greenlet()}
    found["port"] = int(request.META["SERVER_PORT"])
    return JsonResponse(found)


def query(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return myself(request)


def held(request):
    """Answer when somebody has looked."""
    open(os.path.join(FOLDER, ".held"), "w").close()
    limit = time.monotonic() + 20
    while not os.path.exists(os.path.join(FOLDER, ".seen")) and time.monotonic() < limit:
        time.sleep(0.01)
    return myself(request)
'''


def skip_where_absent(name: str) -> None:
    """Skip a test of the server ``name`` if that is not installed."""
    with needed("Apache's mod_wsgi" if name == "mod_wsgi" else f"the server {name}"):
        check_installed(name, SERVERS[name], current())


@dataclass(frozen=True)
class Socket:
    """A row of /proc/net/tcp: ports, state, and the inode by which processes have it open."""

    local: int
    remote: int
    state: str
    inode: int


@dataclass(frozen=True)
class Look:
    """Processes with their tasks and what they have open, and all sockets, as they are at one moment."""

    tasks: dict[int, frozenset[int]]
    files: dict[int, tuple[str, ...]]
    sockets: tuple[Socket, ...]

    @classmethod
    def at(cls, processes: list[psutil.Process]) -> "Look":
        """Look at ``processes`` now."""
        tasks = {}
        files: dict[int, tuple[str, ...]] = {}
        for process in processes:
            folder = Path("/proc", str(process.pid))
            tasks[process.pid] = frozenset(int(task.name) for task in folder.joinpath("task").iterdir())
            files[process.pid] = tuple(_targets(folder / "fd"))
        return cls(tasks, files, tuple(_sockets()))

    def listening(self, port: int) -> set[int]:
        """Return the processes that have the socket which listens at ``port``."""
        return {
            pid
            for each in self.sockets
            if (each.local, each.state) == (port, LISTENING)
            for pid in self.owners(each)
        }

    def connected(self, port: int) -> list[Socket]:
        """Return the server's ends of connections that are open at ``port``."""
        return [each for each in self.sockets if (each.local, each.state) == (port, ESTABLISHED)]

    def owners(self, socket: Socket) -> set[int]:
        """Return the processes that have ``socket`` open."""
        name = f"socket:[{socket.inode}]"
        return {pid for pid, names in self.files.items() if name in names}

    def databases(self) -> int:
        """Return how often the processes have a SQLite file open."""
        return sum(name.endswith(".sqlite3") for names in self.files.values() for name in names)


def _targets(folder: Path) -> list[str]:
    found = []
    for path in folder.iterdir():
        try:
            found.append(str(path.readlink()))
        except FileNotFoundError:  # closed between two looks
            continue
    return found


def _sockets() -> list[Socket]:
    found = []
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, remote, state, *_, inode = line.split()[:10]
        ports = (int(address.rpartition(":")[2], 16) for address in (local, remote))
        found.append(Socket(*ports, state, int(inode)))
    return found
