"""The errors that the lab raises.

::

    LabError
    ├── ProfileError      a profile is unknown or not usable
    ├── AbsentError       a server, or what it needs, is not installed
    │   └── EnvironmentCreationError   an environment could not be created; carries the end of the output
    │       └── UnresolvedError          no releases satisfy its requirements
    ├── UnexpectedError   a bug of this package; its cause is the exception that was raised
    └── RunError          a run was not completed; carries the end of the server's log
        ├── PreparationError   the project's settings, migrations or fixtures failed
        ├── ServerError        the server ended, or never listened
        │   └── FloodError         it wrote more to its log than it may
        ├── ClusterError       a database server did not start, ended, or refused a request
        ├── StepError          a step did not do what the page says; carries the step's line
        └── TimeLimitError     the run exceeded its time limit
    Cancelled             the build was interrupted; not an error of a scenario
"""


class LabError(Exception):
    """The base class. ``message`` says what is wrong, where, and what to do.

    ``line`` is the line of the step that failed, if a step did. It counts from 0 in the directive's body.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class ProfileError(LabError):
    """A profile is unknown, or its value in conf.py is not usable."""


class AbsentError(LabError):
    """What a profile needs is not installed on this machine. The page is not wrong."""


class EnvironmentCreationError(AbsentError):
    """An environment could not be created. ``log`` is the end of the installer's output, without secrets."""

    def __init__(self, message: str, log: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.log = log


class UnresolvedError(EnvironmentCreationError):
    """No releases satisfy the requirements of an environment, on any machine."""


class UnexpectedError(LabError):
    """A bug of this package: an unexpected exception, which is the ``__cause__`` of this one."""

    @classmethod
    def of(cls, cause: Exception) -> "UnexpectedError":
        """Return the error whose cause is ``cause``."""
        error = cls(f"a bug of sphinx_djconn: {type(cause).__name__}: {cause}")
        error.__cause__ = cause
        return error


class RunError(LabError):
    """A run was not completed. ``log`` is the end of the server's log, without secrets."""

    def __init__(self, message: str, log: tuple[str, ...] = (), line: int | None = None) -> None:
        super().__init__(message, line)
        self.log = log


class PreparationError(RunError):
    """The project's databases could not be created: its settings, migrations or fixtures failed."""


class ServerError(RunError):
    """The server ended by itself, or never listened."""


class FloodError(ServerError):
    """The server wrote more to its log than it may."""

    def __init__(self, message: str = "", log: tuple[str, ...] = (), line: int | None = None) -> None:
        super().__init__(
            message
            or "the server wrote more to its log than a run may, and was stopped; reduce its output, or raise "
            "`log_limit` (bytes) of its profile in `djconn_servers`",
            log,
            line,
        )


class ClusterError(RunError):
    """A database server did not start, ended by itself, or refused a request."""


class StepError(RunError):
    """A step did not do what the page says."""


class TimeLimitError(RunError):
    """The run exceeded its time limit."""


class Cancelled(Exception):  # noqa: N818 - not an error
    """The build was interrupted while this operation was running."""
