"""While tests run, shapes in signatures of the zoo and of its methods are enforced.

jaxtyping's own import hook checks every function, and the tests would take more than twice as long; here those are
checked that say something of arrays. What else is in a signature, mypy checks. Importing this module is enough, before
the zoo is imported.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from tests.helpers.paths import ROOT

PACKAGES = ("zoo", "zoo_at_a_glance", "zoo_lipgan", "zoo_speech2face", "zoo_temporal_gan", "zoo_wav2lip")

CHECKER = ast.parse("__import__('jaxtyping').jaxtyped(typechecker=__import__('beartype').beartype)", mode="eval").body


@cache
def arrays_of(module: str) -> frozenset[str]:
    """What :func:`array_names` finds in a module of the zoo; of others nothing."""
    for root in (ROOT, ROOT / "plugins"):
        file = root.joinpath(*module.split(".")).with_suffix(".py")
        if module.partition(".")[0] in PACKAGES and file.is_file():
            return array_names(ast.parse(file.read_text(encoding="utf-8")))
    return frozenset()


def array_names(tree: ast.Module) -> frozenset[str]:
    """Names of arrays in a module: jaxtyping's, and others for them such as ``Map = Float[np.ndarray, "256 256"]``."""
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.module == "jaxtyping" or alias.name in arrays_of(node.module or "")
    }
    for node in tree.body:
        if isinstance(node, ast.Assign) and mentions(names, node.value):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(names)


def mentions(names: Collection[str], *annotations: ast.expr | None) -> bool:
    """Whether one of these names stands in one of these annotations."""
    nodes = [node for annotation in annotations if annotation for node in ast.walk(annotation)]
    return any(isinstance(node, ast.Name) and node.id in names for node in nodes)


class Shapes(ast.NodeTransformer):
    """Decorate functions with arrays in their signatures, and dataclasses with arrays in their fields.

    Args:
        tree: the module.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.arrays = array_names(tree)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Last in the list: what other decorators return has no signature any more."""
        self.generic_visit(node)
        given = node.args
        parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        if mentions(self.arrays, node.returns, *(each.annotation for each in parameters if each)):
            node.decorator_list.append(CHECKER)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """First in the list: of a dataclass that is finished."""
        self.generic_visit(node)
        if any(isinstance(each, ast.AnnAssign) and mentions(self.arrays, each.annotation) for each in node.body):
            node.decorator_list.insert(0, CHECKER)
        return node


class Loader(SourceFileLoader):
    """Compiles modules with :class:`Shapes`."""

    def path_stats(self, path: str) -> Any:
        """Compiled anew every time: the zoo's own compiled files are not to be touched."""
        raise OSError(path)

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> CodeType:  # type: ignore[override]
        """Code of a module, decorated."""
        tree = ast.parse(data, path)
        code: CodeType = compile(ast.fix_missing_locations(Shapes(tree).visit(tree)), path, "exec", dont_inherit=True)
        return code


class Finder(MetaPathFinder):
    """Finds modules of :data:`PACKAGES`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As Python does, with another loader."""
        if fullname.partition(".")[0] not in PACKAGES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


assert "zoo" not in sys.modules, "too late: the zoo is imported"
sys.meta_path.insert(0, Finder())
