"""Pages about several environments, each of which has a number."""

import json
from collections.abc import Mapping
from typing import Any

from tests.support.building import Built, Docs

PAGE = """
    Numbers
    =======

    .. djconn:scenario:: asked
       :show: requests

       browser: GET /numbered as first

"""

VIEWS = """
    def numbered(request):
        import number

        return JsonResponse({"number": number.NUMBER})
"""


class Row:
    """A documentation with environments ``r0``, ``r1``, …"""

    def __init__(self, docs: Docs, interpreters: Mapping[str, Mapping[str, str]]) -> None:
        self.docs = docs
        self.interpreters = dict(interpreters)
        self._project = docs.project(views=VIEWS)
        self._claims: dict[str, str] = {}
        self.configure()

    def configure(self, **values: Any) -> None:
        """Write conf.py, with the environments and values of a test's own."""
        self.docs.configure(djconn_project=self._project, djconn_environments=self.interpreters, **values)

    def views(self, views: str) -> None:
        """Give the project other views."""
        self.docs.project(views=views)

    def settings(self, settings: str) -> None:
        """Add to the project's settings."""
        self.docs.project(views=VIEWS, settings=settings)

    def claim(self, name: str, count: int, expect: str, *options: str) -> None:
        """Claim ``expect`` of the first ``count`` environments."""
        releases = ", ".join(f"r{number}" for number in range(count))
        lines = [":in: asked", f":releases: {releases}", f":expect: {expect}", *options]
        shown = "".join(f"       {line}\n" for line in lines)
        self._claims[name] = f"    .. djconn:since:: {name}\n{shown}\n       The sentence of {name}.\n\n"
        self.docs.page("index", PAGE + "".join(self._claims.values()))

    def build(self, *arguments: str) -> Built:
        """Build the reports."""
        return self.docs.build("djconn", *arguments)

    def told(self, built: Built) -> dict[str, Any]:
        """Return what ``claims.json`` says, by name."""
        return {each["id"]: each for each in json.loads(built.read("claims.json"))}


def ran(built: Built, name: str) -> list[int]:
    """Return the numbers of the environments that were run for the claim ``name``, in order."""
    cells = [each for each in built.ran if each.startswith(f"{name}[")]
    return sorted(int(each.partition("=r")[2].rstrip("]")) for each in cells)
