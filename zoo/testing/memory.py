"""How much memory tensors need at most while something runs: counted, not measured, so that it is the same anywhere."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class _Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the storages of all tensors that operations give, as long as they live."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in tree_iter(made):
            if isinstance(value, Tensor):
                self._count(value)
        return made

    def _count(self, value: Tensor) -> None:
        storage = value.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._sizes:
            return
        self._sizes[key] = size
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.now -= self._sizes.pop(key, 0)


def live_bytes(run: Callable[[], Any]) -> tuple[Any, int]:
    """What ``run`` gives, and the most bytes that tensors which it makes take at one time, its result included.

    What an operation needs inside itself does not count, nor do NumPy arrays.
    """
    with _Live() as live:
        made = run()
    return made, live.peak
