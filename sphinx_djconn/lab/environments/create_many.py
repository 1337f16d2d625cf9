"""Environments of many scenarios: those that are there at once, the others as they are made."""

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final

from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.environments.environments import Environments
from sphinx_djconn.lab.environments.specification import Specification
from sphinx_djconn.lab.errors import Cancelled, LabError, UnexpectedError

_TICK: Final = 0.5
"""Seconds after which Ctrl-C is heard, and something is told, at the latest."""

Found = Environment | LabError
"""An environment, or why there is none."""


def in_turn(
    environments: Environments,
    wanted: Mapping[str, Specification],
    *,
    at_once: int,
    tell: Callable[[], None],
    cancel: Callable[[], None],
) -> Generator[dict[str, Found], None, None]:
    """Yield the environments that are ``wanted``, under their names, in groups.

    The first group are those that are there. The others are made meanwhile, ``at_once`` at a time. While this
    waits, it calls ``tell``; whatever interrupts it ends the making with ``cancel`` before it goes on its way.
    """
    there: dict[str, Found] = {}
    missing: dict[Specification, list[str]] = {}
    for name, specification in wanted.items():
        try:
            if environments.is_there(specification):
                there[name] = environments.get(specification)
            else:
                missing.setdefault(specification, []).append(name)
        except Cancelled:
            raise
        except LabError as error:
            there[name] = error
        except Exception as error:  # noqa: BLE001 - one environment's trouble: the others are made
            there[name] = UnexpectedError.of(error)
    with ThreadPoolExecutor(at_once, "djconn-make") as executor:
        making = {executor.submit(_outcome, environments, each): each for each in missing}
        try:
            yield there
            yield from _as_made(making, missing, tell)
        except BaseException:
            cancel()
            executor.shutdown(wait=True, cancel_futures=True)
            raise


def _as_made(
    making: dict[Future[Found], Specification],
    missing: Mapping[Specification, list[str]],
    tell: Callable[[], None],
) -> Generator[dict[str, Found], None, None]:
    while making:
        done, _ = wait(making, _TICK, FIRST_COMPLETED)
        tell()
        made: dict[str, Found] = {}
        for future in done:
            made |= dict.fromkeys(missing[making.pop(future)], future.result())
        if made:
            yield made


def _outcome(environments: Environments, specification: Specification) -> Found:
    try:
        return environments.get(specification)
    except LabError as error:
        return error
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        return UnexpectedError.of(error)
