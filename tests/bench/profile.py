"""Where the time of Sphinx's process goes, from the profiles that ``--profile`` keeps."""

import io
import pstats
from pathlib import Path

SHOWN = 25


def report(folder: Path) -> str:
    """Return the most expensive functions of each profile, by cumulative time."""
    parts = []
    for path in sorted(folder.glob("*.prof")):
        text = io.StringIO()
        stats = pstats.Stats(str(path), stream=text)
        stats.strip_dirs().sort_stats("cumulative").print_stats(SHOWN)
        parts.append(f"{path.name}\n{text.getvalue()}")
    return "\n".join(parts)
