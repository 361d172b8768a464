"""docs/contract.md tells authors all that a spec may say, and all that `zoo plugin check` asks in its own words."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections import defaultdict
from dataclasses import replace
from types import ModuleType
from typing import Any, get_args

import pytest
import pytorch_lightning as pl
from torch.utils.data import DataLoader

from tests.helpers.batches import random_windows
from tests.helpers.paths import ROOT
from zoo.data.splits import SPLITS
from zoo.methods import trainable
from zoo.methods.adversarial import AdversarialMethod, Group, Term, Turn
from zoo.methods.config import AdversarialConfig
from zoo.registry.spec import (
    CAPABILITIES,
    Better,
    DatasetSpec,
    ExpertSpec,
    FaceSpec,
    InputSpec,
    MethodSpec,
    MetricSpec,
    Need,
    Shown,
    Spec,
)
from zoo.synthesis.make import make
from zoo.testing import capabilities, cards, conditioning, datasets, faces, kit, methods, metrics, specs, trainables
from zoo.testing.rules import Rules

PAGE = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")

RULES: dict[str, Rules] = {
    "Every plugin": specs.RULES,
    "Methods and experts": [*cards.RULES, *trainables.RULES],
    "Methods": [*methods.RULES, *conditioning.RULES, *capabilities.RULES],
    "Data sets": datasets.RULES,
    "Metrics": metrics.RULES,
    "Face backends": faces.RULES,
}

OWNERS: dict[str, tuple[type[Spec], ...]] = {
    "all": (MethodSpec, ExpertSpec, DatasetSpec, MetricSpec, FaceSpec),
    "method, expert": (MethodSpec, ExpertSpec),
    "method": (MethodSpec,),
    "data set": (DatasetSpec,),
    "metric": (MetricSpec,),
}


def table(heading: str, first: str = "") -> list[list[str]]:
    """The cells of the first table below a heading whose first column is called so."""
    below = PAGE.split(f"\n{heading}\n", 1)[1]
    begin = below.index(f"| {first}")
    lines = below[begin:].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]*)`", text)


@pytest.mark.parametrize("heading", RULES)
def test_the_rules_are_told_as_the_check_tells_them(heading: str):
    wanted = [[rule.name + " *" * rule.slow, rule.expected] for rule in RULES[heading]]
    assert table(f"### {heading}") == wanted


def test_every_kind_finds_its_rules_on_the_page():
    """What the kit holds a spec of a kind to is what the page says of that kind, no more and no less."""
    told = {
        MethodSpec: ("Every plugin", "Methods and experts", "Methods"),
        ExpertSpec: ("Every plugin", "Methods and experts"),
        DatasetSpec: ("Every plugin", "Data sets"),
        MetricSpec: ("Every plugin", "Metrics"),
        FaceSpec: ("Every plugin", "Face backends"),
    }
    for kind, headings in told.items():
        held = {rule.name for rule in kit.rules_of(kind("x", "y", "z:Z"))}
        assert held == {rule.name for heading in headings for rule in RULES[heading]}, kind


def test_every_field_of_a_spec_is_told_with_its_default():
    told: dict[type[Spec], set[str]] = {kind: set() for kind in OWNERS["all"]}
    for fields, of, default, _ in table("## Every spec", "field"):
        for name in quoted(fields):
            for kind in OWNERS[of]:
                told[kind].add(name)
                (field,) = (field for field in dataclasses.fields(kind) if field.name == name)
                if quoted(default):
                    shown = str(field.default).replace("'", '"')
                    assert quoted(default) == [shown], name
                elif field.default is not dataclasses.MISSING and name != "api_version":
                    assert field.default == "", name
    for kind, names in told.items():
        assert names == {field.name for field in dataclasses.fields(kind)} - {"dist"}, kind


def test_names_that_a_spec_may_use_are_told():
    fields = {name: cells[-1] for cells in table("## Every spec", "field") for name in quoted(cells[0])}
    assert [quoted(cells[0])[0] for cells in table("## A method", "capability")] == list(CAPABILITIES)
    assert [cells[1] for cells in table("## A method", "capability")] == list(CAPABILITIES.values())
    assert [quoted(cells[0])[0] for cells in table("## A data set", "split")] == list(SPLITS)
    assert quoted(fields["better"]) == list(get_args(Better))
    assert quoted(fields["needs"]) == list(get_args(Need))
    assert quoted(fields["shown"]) == list(filter(None, get_args(Shown)))


def test_the_input_spec_is_told():
    told = [name for cells in table("## A method", "field") for name in quoted(cells[0])]
    assert told == [field.name for field in dataclasses.fields(InputSpec)]


@pytest.fixture
def gan(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page's code defines."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.split("\n## A GAN\n", 1)[1], flags=re.MULTILINE | re.DOTALL)[:1]
    module = ModuleType("gan_of_the_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, "docs/contract.md", "exec"), vars(module))
    return vars(module)


def test_the_gan_of_the_page_is_trained_and_generates(gan: dict[str, Any]):
    spec = MethodSpec(name="small", summary="s", target="gan_of_the_page:Small", api_version=2)
    module = trainable.build(spec, gan["SmallConfig"](learning_rate=0.01, adversarial_start=0.5))
    assert isinstance(module, AdversarialMethod)
    batch, logged = random_windows(2, 2, 32, 640), defaultdict(list)
    module.log = lambda name, value, **_: logged[name].append(float(value))  # type: ignore[method-assign]
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, DataLoader([batch] * 20, batch_size=None, collate_fn=lambda item: item))  # type: ignore[arg-type]
    names = {"l1": 20, "g_loss": 20, "g_frame": 10, "d_real": 10, "d_generated": 10, "d_loss": 10}
    assert {name: len(values) for name, values in logged.items()} == {f"train/{k}": n for k, n in names.items()}
    assert logged["train/l1"][-1] < logged["train/l1"][0]
    assert make(module.eval(), spec, replace(batch.given, num_frames=2)).shape == (2, 2, 3, 32, 32)


def test_what_a_gan_may_say_is_told():
    told = {name.partition("(")[0] for cells in table("## A GAN", "you write") for name in quoted(cells[0])}
    assert told == AdversarialMethod.__abstractmethods__
    defaults = {
        name: default.strip()
        for cells in table("## A GAN", "setting")
        for name, default in zip(quoted(cells[0]), cells[1].split(","), strict=True)
    }
    assert defaults == {field.name: str(field.default) for field in dataclasses.fields(AdversarialConfig)}
    members = {quoted(cells[0])[0].partition("(")[0]: cells[1] for cells in table("## A GAN", "member")}
    assert all(hasattr(AdversarialMethod, name) for name in members)
    assert members["least_windows"] == str(AdversarialMethod.least_windows)
    assert members["short_windows"] == AdversarialMethod.short_windows
    page = PAGE.split("\n## A GAN\n", 1)[1].split("\n## ", 1)[0]
    assert f"`Term({', '.join(signature(Term))})`" in page
    assert f"`Turn({', '.join(signature(Turn))})`" in page
    assert f"`Group({', '.join(signature(Group))})`" in page


def signature(kind: type) -> list[str]:
    """The fields of a tuple or dataclass as the page writes them: weights of terms with their default."""
    fields = inspect.signature(kind).parameters.values()
    return [
        f"{field.name}={field.default:g}" if kind is Term and field.name == "weight" else field.name for field in fields
    ]


def test_an_expert_finds_all_that_it_must_write():
    told = {name.partition("(")[0] for cells in table("## An expert", "you write") for name in quoted(cells[0])}
    abstract = ExpertSpec("x", "y", "zoo.methods.trainable:TrainableModule").load().__abstractmethods__
    assert abstract <= told
    assert told == abstract | {"training_step", "validation_step", "test_step", "configure_optimizers"}
