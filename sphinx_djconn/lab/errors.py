"""What can go wrong in the lab.

::

    LabError
    ├── ProfileError      a name that conf.py and the built-in profiles do not know
    ├── AbsentError       a server, or what it needs, is not installed
    │   └── EnvironmentMakingError   an environment could not be made; carries the end of the output
    │       └── UnresolvedError          no releases fulfil what it is to have: the docs are wrong
    ├── UnexpectedError   a bug of this package; its cause is the exception that was raised
    └── RunError          a run that did not come to its end; carries the end of the server's log
        ├── PreparationError   the project's settings or migrations failed, before any server
        ├── ServerError        the server ended, or never listened
        │   └── FloodError         it wrote more to its log than it may
        ├── ClusterError       a database server did not start, ended, or refused what it was asked
        ├── StepError          a step went otherwise than the page says; carries the step's line
        └── TimeLimitError     the run took longer than its timeout
    Cancelled             the build was interrupted; not an error of any scenario
"""


class LabError(Exception):
    """``message`` says what, where and what to do, in a sentence or two.

    ``line`` is that of the step at fault, where it is one; it counts from 0 in the directive's body.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class ProfileError(LabError):
    """A profile is not known, or what conf.py says of it is not usable."""


class AbsentError(LabError):
    """What a profile needs is not on this machine: nothing is wrong with the page."""


class EnvironmentMakingError(AbsentError):
    """An environment could not be made. ``log`` is the end of what the installer said, free of secrets."""

    def __init__(self, message: str, log: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.log = log


class UnresolvedError(EnvironmentMakingError):
    """No releases fulfil the requirements of an environment: on other machines neither."""


class UnexpectedError(LabError):
    """A bug of this package: an exception that nothing expects. It is the ``__cause__`` of this one."""

    @classmethod
    def of(cls, cause: Exception) -> "UnexpectedError":
        """Return the error for ``cause``."""
        error = cls(f"a bug of sphinx_djconn: {type(cause).__name__}: {cause}")
        error.__cause__ = cause
        return error


class RunError(LabError):
    """A run did not come to its end. ``log`` is the end of the server's log, free of secrets."""

    def __init__(self, message: str, log: tuple[str, ...] = (), line: int | None = None) -> None:
        super().__init__(message, line)
        self.log = log


class PreparationError(RunError):
    """The project could not be made ready: its settings, its migrations or its fixtures."""


class ServerError(RunError):
    """The server exited by itself, or never listened."""


class FloodError(ServerError):
    """The server wrote more to its log than it may."""

    def __init__(self, message: str = "", log: tuple[str, ...] = (), line: int | None = None) -> None:
        super().__init__(
            message
            or "the server wrote more to its log than a run may, and was stopped; quieten it, or raise "
            "`log_limit` (bytes) of its profile in `djconn_servers`",
            log,
            line,
        )


class ClusterError(RunError):
    """A database server did not start, ended by itself, or refused what it was asked."""


class StepError(RunError):
    """A step went otherwise than the page says."""


class TimeLimitError(RunError):
    """The run took longer than it may."""


class Cancelled(Exception):  # noqa: N818 - no error
    """The build was interrupted while this run was going on."""
