"""Writing a new plugin: a whole package that works at once, copied from ``templates`` under another name."""

from __future__ import annotations

import ast
import builtins
import keyword
import os
import re
import shutil
import tempfile
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from zoo import registry
from zoo.registry.spec import REFERENCES
from zoo.support.errors import ConfigError

KINDS = {"method": "zoo.methods", "dataset": "zoo.datasets", "metric": "zoo.metrics"}
"""What can be written, and its group. ``templates/KIND`` holds a real package; it is called ``new-KIND`` there."""

LICENCES = ("MIT", "Apache-2.0", "BSD-3-Clause")

TEMPLATES = Path(__file__).parent / "templates"

GAN = TEMPLATES / "gan"
"""What an adversarial method has beside files of ``templates/method`` or in place of them, as ``new-gan``."""

LONGEST = 30
"""Letters of a name."""


def create(
    name: str,
    kind: str = "method",
    out: str | Path | None = None,
    licence: str = "MIT",
    author: str | None = None,
    *,
    gan: bool = False,
) -> Path:
    """Write a package.

    Args:
        name: what users will type: small letters, digits, single ``-`` or ``_`` between them.
        kind: of :data:`KINDS`.
        out: the folder to write, which must not exist yet; ``zoo-NAME`` if not given.
        licence: of :data:`LICENCES`.
        author: who holds the copyright.
        gan: with a discriminator, on :class:`zoo.methods.adversarial.AdversarialMethod`; of a method only.

    Returns:
        The folder.

    Raises:
        ConfigError: the name is malformed or taken, the folder exists, the author's name cannot stand in a file, or
            ``gan`` is asked of what is no method.
    """
    dashed, package = f"zoo-{name.replace('_', '-')}", f"zoo_{name.replace('-', '_')}"
    author = f"the authors of {dashed}" if author is None else author.strip()
    _check_name(name, kind, package)
    if gan and kind != "method":
        raise ConfigError(f"--gan: a {kind} has no discriminator; leave out --kind {kind}, or --gan")
    templates = [TEMPLATES / kind, *[GAN] * gan]
    if not author or not author.isprintable() or set(author) & set('"\\{}'):
        raise ConfigError(f"--author: '{author}' cannot stand in pyproject.toml; leave out quotes, braces, backslashes")
    target = Path(dashed if out is None else out)
    if target.exists() or target.is_symlink():
        raise ConfigError(f"{target}: exists already; nothing is overwritten, say another folder with --out")
    title = "".join(part.capitalize() for part in re.split("[-_]", name))
    words = {"AUTHOR NAME": author, "2026": str(date.today().year), r"\bMIT\b": licence}
    for template in templates:
        words |= {
            f"zoo-new-{template.name}": dashed,
            f"zoo_new_{template.name}": package,
            f"new-{template.name}": name,
            f"new_{template.name}": name.replace("-", "_"),
            f"New{template.name.capitalize()}": title,
        }
    _check_title(name, title, templates)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for template in templates:
            _fill(template, aside, words)
        text = (TEMPLATES / "licences" / f"{licence}.txt").read_text("utf-8")
        (aside / "LICENSE").write_text(text.replace("AUTHOR NAME", author).replace("2026", words["2026"]), "utf-8")
        umask = os.umask(0)
        os.umask(umask)
        aside.chmod(0o777 & ~umask)  # mkdtemp's folder is private
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _check_name(name: str, kind: str, package: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", name) or len(name) > LONGEST:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:LONGEST].rstrip("-")
        hint = f", for example {near}" if near else ""
        rule = f"small letters, digits and single dashes between them, a letter first, {LONGEST} at most"
        raise ConfigError(f"'{name}' is no name for a {kind}: {rule}{hint}")
    if name.startswith(("zoo-", "zoo_")):
        raise ConfigError(f"'{name}': leave out 'zoo-', the package is called so anyway: {name[4:]}")
    groups = ("zoo.methods", "zoo.experts") if kind == "method" else (KINDS[kind],)
    taken = [entry for entry in registry.entries() if entry.group in groups and entry.name == name]
    if taken:
        what = registry.kind_of(taken[0].group)
        raise ConfigError(f"'{name}' is taken: {taken[0].dist} has the {what} of that name; choose another")
    if find_spec(package) is not None:
        raise ConfigError(f"'{name}': the Python package {package} is installed already; choose another name")


def _check_title(name: str, title: str, templates: list[Path]) -> None:
    """Refuse a name whose class would hide something that the package uses, or that means something else elsewhere."""
    files = [path for template in templates for path in template.rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    used = {getattr(node, field, None) for node in nodes for field in ("id", "name", "asname")}
    if keyword.iskeyword(title) or title in used or hasattr(builtins, title):
        raise ConfigError(f"'{name}': its class would be {title}, which Python or the package uses; choose another")
    if name in ("all", *REFERENCES):
        raise ConfigError(f"'{name}' means something else to `zoo benchmark`; choose another")


def _fill(template: Path, folder: Path, words: dict[str, str]) -> None:
    """Copy a tree, putting other words into its texts and file names."""
    pattern = re.compile("|".join(words))
    plain = {re.sub(r"\\b", "", key): value for key, value in words.items()}

    def put(text: str) -> str:
        return pattern.sub(lambda match: plain[match[0]], text)

    for source in sorted(template.rglob("*")):
        where = source.relative_to(template)
        if source.is_dir() or "__pycache__" in where.parts or where.parts[0].startswith("."):
            continue
        # What is called dot-NAME here is .NAME there: hidden files would be left out of wheels.
        name = re.sub(r"(^|/)dot-", r"\1.", put(where.as_posix()))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(put(source.read_text("utf-8")), "utf-8")
