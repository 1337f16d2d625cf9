"""Call functions once, right after a module has been imported for the first time."""

import sys
from typing import Any, Callable, Dict, List, Optional

Hook = Callable[[Any], None]


class ImportHooks:
    """An import finder that finds nothing itself, but runs hooks after a module's code."""

    def __init__(self) -> None:
        self._hooks: Dict[str, List[Hook]] = {}

    def install(self) -> None:
        """Become the first finder of this interpreter."""
        sys.meta_path.insert(0, self)

    def after(self, name: str, hook: Hook) -> None:
        """Call ``hook`` with the module ``name`` when it has been imported; now, if it already has."""
        if name in sys.modules:
            hook(sys.modules[name])
        else:
            self._hooks.setdefault(name, []).append(hook)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[Any]:
        """Return the spec of another finder for ``name``, whose loader then also runs the hooks."""
        if name not in self._hooks:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None and hasattr(spec.loader, "exec_module"):
                self._attach(spec.loader, name)
                return spec
        return None

    def _attach(self, loader: Any, name: str) -> None:
        original = loader.exec_module

        def exec_module(module: Any) -> None:
            del loader.exec_module
            original(module)
            # A spec may be found more than once before one is executed: ``python -m`` does.
            for hook in self._hooks.pop(name, ()):
                hook(module)

        loader.exec_module = exec_module
