"""Run many scenarios concurrently. A scenario that fails does not affect the others."""

from collections.abc import Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Final, NamedTuple

from sphinx_djconn.lab.errors import Cancelled, LabError, UnexpectedError
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.store import Recording

_POLL_INTERVAL: Final = 0.5
"""Seconds until Ctrl-C is handled, at most."""


class ScenarioResult(NamedTuple):
    """A recording, or the error that prevented it."""

    recording: Recording | None
    error: LabError | None


class Scheduler:
    """Runs up to ``jobs`` scenarios at once, in threads: most of the time, each waits for its server."""

    def __init__(self, laboratory: Laboratory, jobs: int) -> None:
        self._laboratory = laboratory
        self._jobs = jobs

    def run(self, scenarios: Mapping[str, Scenario]) -> Generator[tuple[str, ScenarioResult], None, None]:
        """Yield name and result of each scenario as it ends.

        An exception in this generator, such as ``KeyboardInterrupt``, ends all runs before it propagates. A
        caller that is interrupted between two results has to close the generator.
        """
        with ThreadPoolExecutor(self._jobs, "djconn-run") as executor:
            self._laboratory.begin_servers(scenarios.values())
            executor.submit(self._laboratory.preload_common, list(scenarios.values()))
            order = sorted(scenarios.items(), key=lambda item: self._sort_key(item[1]))
            futures = {executor.submit(self._run_one, scenario): name for name, scenario in order}
            try:
                while futures:
                    # With a timeout: a signal that another thread receives does not interrupt wait().
                    done, _ = wait(futures, _POLL_INTERVAL, FIRST_COMPLETED)
                    self._laboratory.report_pending()
                    while done:
                        future = done.pop()
                        yield futures.pop(future), future.result()  # without a reference to the traces
            except BaseException:
                self._laboratory.cancel()
                executor.shutdown(wait=True, cancel_futures=True)
                raise

    def _sort_key(self, scenario: Scenario) -> tuple[float, bool]:
        """Return the sort key of ``scenario``.

        Scenarios that wait longest begin first, so that none waits alone at the end. Those without a database
        server run while the servers start.
        """
        database = self._laboratory.profiles.databases.get(scenario.database)
        return -_seconds_of_waiting(scenario), database is not None and database.has_server

    def _run_one(self, scenario: Scenario) -> ScenarioResult:
        try:
            return ScenarioResult(self._laboratory.run(scenario), None)
        except LabError as error:
            return ScenarioResult(None, error)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - the other scenarios run
            return ScenarioResult(None, UnexpectedError.of(error))


def _seconds_of_waiting(scenario: Scenario) -> float:
    """Return about how many seconds a scenario spends waiting, in all its runs."""
    return scenario.runs * sum(step.waiting_seconds for step in scenario.sequence.steps)
