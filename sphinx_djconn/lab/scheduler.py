"""Run many scenarios side by side; one that fails does not disturb the others."""

from collections.abc import Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Final, NamedTuple, assert_never

from sphinx_djconn.lab.errors import Cancelled, LabError, UnexpectedError
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.scenario.model import Close, DatabaseFault, Reload, Request, Scenario, Together, Wait
from sphinx_djconn.store import Recording

_TICK: Final = 0.5
"""Seconds after which Ctrl-C is heard at the latest."""

_RELOAD: Final = 1.5
_TOGETHER: Final = 0.5
"""Seconds that such a step takes, more or less; they decide about an order, and nothing else."""


class ScenarioResult(NamedTuple):
    """What became of a scenario: a recording, or the error that was in its way."""

    recording: Recording | None
    error: LabError | None


class Scheduler:
    """Runs up to ``jobs`` scenarios at once. Each waits for its server, not for a processor."""

    def __init__(self, laboratory: Laboratory, jobs: int) -> None:
        self._laboratory = laboratory
        self._jobs = jobs

    def run(self, scenarios: Mapping[str, Scenario]) -> Generator[tuple[str, ScenarioResult], None, None]:
        """Yield the outcome of each scenario under its name, as they end.

        Whatever interrupts this (Ctrl-C above all) ends every run before it goes on its way; who is
        interrupted between two outcomes has to close it.
        """
        with ThreadPoolExecutor(self._jobs, "djconn-run") as executor:
            self._laboratory.begin_servers(scenarios.values())
            executor.submit(self._laboratory.preload_common, list(scenarios.values()))
            order = sorted(scenarios.items(), key=lambda each: self._place(each[1]))
            futures = {executor.submit(self._outcome, scenario): name for name, scenario in order}
            try:
                while futures:
                    # Not without end: a signal that another thread has taken wakes nobody.
                    done, _ = wait(futures, _TICK, FIRST_COMPLETED)
                    self._laboratory.report_pending()
                    while done:
                        future = done.pop()
                        yield futures.pop(future), future.result()  # keeping none of the traces
            except BaseException:
                self._laboratory.cancel()
                executor.shutdown(wait=True, cancel_futures=True)
                raise

    def _place(self, scenario: Scenario) -> tuple[float, bool]:
        """Return what scenarios are sorted by.

        Those that wait longest begin first, so that none is left to wait alone at the end; and others run
        while the database servers start.
        """
        database = self._laboratory.profiles.databases.get(scenario.database)
        return -_waiting(scenario), database is not None and database.has_server

    def _outcome(self, scenario: Scenario) -> ScenarioResult:
        try:
            return ScenarioResult(self._laboratory.run(scenario), None)
        except LabError as error:
            return ScenarioResult(None, error)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - one scenario's trouble: the others run
            return ScenarioResult(None, UnexpectedError.of(error))


def _waiting(scenario: Scenario) -> float:
    """Return about how many seconds a scenario spends waiting, in all its runs."""
    seconds = 0.0
    for step in scenario.sequence.steps:
        match step:
            case Wait():
                seconds += step.seconds
            case Reload():
                seconds += _RELOAD
            case Together():
                seconds += _TOGETHER
            case Request() | Close() | DatabaseFault():
                pass
            case _:
                assert_never(step)
    return seconds * scenario.runs
