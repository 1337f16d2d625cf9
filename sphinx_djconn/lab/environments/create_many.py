"""Create the environments of many scenarios at the same time."""

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final

from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.environments.environments import Environments
from sphinx_djconn.lab.environments.specification import Specification
from sphinx_djconn.lab.errors import Cancelled, LabError, UnexpectedError

_REPORT_INTERVAL: Final = 0.5
"""Seconds between two calls of ``report``. Ctrl-C is handled at these times."""

Result = Environment | LabError
"""An environment, or why there is none."""


def create_many(
    environments: Environments,
    specifications: Mapping[str, Specification],
    *,
    max_workers: int,
    report: Callable[[], None],
    cancel: Callable[[], None],
) -> Generator[dict[str, Result], None, None]:
    """Yield the environments of ``specifications``, under the same names, in groups.

    The first group are those that exist. The others follow when they are created, ``max_workers`` at a time.
    ``report`` is called while this waits. If an exception interrupts it, it calls ``cancel``, which has to end
    the creation, and waits for the workers.
    """
    existing: dict[str, Result] = {}
    missing: dict[Specification, list[str]] = {}
    for name, specification in specifications.items():
        try:
            if environments.exists(specification):
                existing[name] = environments.get(specification)
            else:
                missing.setdefault(specification, []).append(name)
        except Cancelled:
            raise
        except LabError as error:
            existing[name] = error
        except Exception as error:  # noqa: BLE001 - one fails, the others are created
            existing[name] = UnexpectedError.of(error)
    with ThreadPoolExecutor(max_workers, "djconn-make") as executor:
        futures = {executor.submit(_create, environments, each): each for each in missing}
        try:
            yield existing
            yield from _as_completed(futures, missing, report)
        except BaseException:
            cancel()
            executor.shutdown(wait=True, cancel_futures=True)
            raise


def _as_completed(
    futures: dict[Future[Result], Specification],
    names: Mapping[Specification, list[str]],
    report: Callable[[], None],
) -> Generator[dict[str, Result], None, None]:
    while futures:
        done, _ = wait(futures, _REPORT_INTERVAL, FIRST_COMPLETED)
        report()
        results: dict[str, Result] = {}
        for future in done:
            results |= dict.fromkeys(names[futures.pop(future)], future.result())
        if results:
            yield results


def _create(environments: Environments, specification: Specification) -> Result:
    try:
        return environments.get(specification)
    except LabError as error:
        return error
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        return UnexpectedError.of(error)
