"""Tests of the pages, and of the extension in other people's documentation and projects."""

import pytest

MARKERS = {
    "django_docs": "builds Django's own documentation, from the package index: about a minute",
    "foreign_project": "runs projects from the package index that none of us wrote: about a minute",
    "packaging": "builds, installs and uses the wheel",
}
FROM_THE_INDEX = {"django_docs", "foreign_project"}


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what downloads things, unless it is asked for: ``-m django_docs``, for example."""
    if config.option.markexpr:
        return
    left_out = [item for item in items if FROM_THE_INDEX & {mark.name for mark in item.iter_markers()}]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
