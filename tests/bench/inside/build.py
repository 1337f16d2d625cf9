"""Run Sphinx, and tell its peak of memory: ``build.py TOLD PROFILE ARGUMENTS OF SPHINX-BUILD…``.

``TOLD`` is a file for what is told, as JSON; ``PROFILE`` one for a profile by cProfile, or empty.
"""

import cProfile
import json
import resource
import sys
from pathlib import Path


def peak_megabytes() -> float:
    """Return the most memory that this process had at once, without what its parent had."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:  # macOS, where the figure is in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024 / 1e6


def main() -> int:
    told, profile, *arguments = sys.argv[1:]
    profiler = cProfile.Profile() if profile else None
    if profiler is not None:
        profiler.enable()
    from sphinx.cmd.build import build_main  # noqa: PLC0415 - a profile shows what importing takes

    code = build_main(arguments)
    if profiler is not None:
        profiler.disable()
        profiler.dump_stats(profile)
    Path(told).write_text(json.dumps({"megabytes": peak_megabytes()}), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
