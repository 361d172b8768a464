"""What `zoo plugin new` writes, in a fresh environment: the commands of docs/write-a-method.md word by word."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
import yaml
from torch.utils.data import DataLoader

from tests.helpers.batches import given_other
from tests.helpers.inputs import drawn, photograph, save_picture
from tests.helpers.paths import ROOT
from tests.registry.fresh import Done, Fresh
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate
from zoo.media.video import read_video, write_video
from zoo.methods.losses.reconstruction import lip_weights, weighted_l1
from zoo.registry.scaffold.create import TEMPLATES

PAGE = ROOT / "docs" / "write-a-method.md"


def commands(page: Path) -> list[str]:
    """The commands of a page's fenced shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line.partition(" # ")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Fresh:
    return Fresh.make(tmp_path_factory.mktemp("fresh") / "venv", environment)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the reader of the page works in, with the photo and the sound that the page speaks of."""
    folder = tmp_path_factory.mktemp("desk")
    save_picture(folder / "photo.jpg", photograph())
    write_video(folder / "speech.mp4", drawn().frames[:25], wave=drawn().wave[:16000])
    shutil.move(folder / "speech.mp4", folder / "speech.wav")  # any sound file: FFmpeg looks at what is in it
    return folder


@pytest.fixture(scope="module")
def done(fresh: Fresh, desk: Path) -> dict[str, Done]:
    """What came of every command of the page; one process for all that come after the last installation."""
    lines = commands(PAGE)
    last = max(number for number, line in enumerate(lines) if line.startswith("pip ")) + 1
    found: dict[str, Done] = {}
    for line in lines[:last]:
        words = shlex.split(line)
        if words[:2] == ["pip", "install"]:
            fresh.pip_install(*words[2:], cwd=desk)
        else:
            found[line] = fresh.zoo(words[1:], cwd=desk)[0]
    rest = lines[last:]
    _add_others(fresh, desk)
    results = fresh.zoo(*[shlex.split(line)[1:] for line in [*rest, *MORE]], cwd=desk)
    return found | dict(zip([*rest, *MORE], results, strict=True))


MORE = (
    "zoo info my-gan",
    "zoo fit my-gan data.root=clips trainer.max_epochs=1 trainer.log_every_n_steps=1 adversarial_start=0",
    "zoo plugin check my-gan --quick",
    "zoo plugin list --json",
    "zoo list --json",
    "zoo data prepare my-faces --root raw --out st --workers 1",
    "zoo data verify st",
    "zoo fit lipgan data=my-faces data.root=st --print-config",
    "zoo plugin check my-faces --kind dataset --quick",
    "zoo plugin check lip_gap --kind metric --quick --json",
    "zoo score --pred made --real real --metrics lip_gap,psnr lip_gap.gap=outer --json",
    "zoo benchmark --dry-run --methods none --suite my-faces data.root=st references=[still] tracks=[reconstruction]",
)


def _add_others(fresh: Fresh, desk: Path) -> None:
    """A GAN, a data set and a metric, and something to use them on."""
    written = fresh.zoo(
        ["plugin", "new", "my-gan", "--gan", "--out", "gan"],
        ["plugin", "new", "my-faces", "--kind", "dataset", "--out", "dataset"],
        ["plugin", "new", "lip_gap", "--kind", "metric", "--out", "metric"],
        cwd=desk,
    )
    assert [done.code for done in written] == [0, 0, 0]
    fresh.pip_install("./gan", "./dataset", "./metric", cwd=desk)
    fresh.run(f"from pathlib import Path; from zoo_my_faces.example import write; write(Path({str(desk / 'raw')!r}))")
    clip = drawn()
    for folder, frames in (("real", clip.frames[:20]), ("made", clip.frames[5:25])):
        (desk / folder).mkdir()
        write_video(desk / folder / "one.mp4", frames, wave=clip.wave[:12800])


def test_every_command_of_the_page_works(done: dict[str, Done]):
    assert len(commands(PAGE)) >= 8
    for line, came in done.items():
        assert came.code == 0, (line, came.out, came.err)
        assert "Traceback" not in came.err, line


def _of(done: dict[str, Done], start: str) -> Done:
    (line,) = [line for line in done if line.startswith(start)]
    return done[line]


def test_the_method_is_listed_trained_checked_and_compared(done: dict[str, Done], desk: Path):
    assert "model.lip_weight" in _of(done, "zoo info my-method").out
    assert "weight of the lip region" in _of(done, "zoo info my-method").out
    assert_compared_with_the_still(_of(done, "zoo fit my-method").out)
    talk = read_video(desk / "talk.mp4").frames
    assert 24 < len(talk) < 28, "as long as the sound: one second, and what AAC adds"
    assert talk.shape[1:] == (3, 512, 512), "as large as the photo"
    checked = _of(done, "zoo plugin check my-method").out
    assert " 0 failed" in checked
    assert "sound matters" in checked
    (cell,) = (desk / "benchmark-synth" / "cells").glob("my-method-*")
    assert json.loads((cell / "cell.json").read_text())["source"] == "run", "the weights are those of the page's fit"
    rows = [json.loads(line) for line in (cell / "rows.jsonl").read_text().splitlines()]
    assert {row["metric"] for row in rows} == {"lmd", "psnr"}


def assert_compared_with_the_still(out: str) -> None:
    """The table of a fit: LMD, motion and sync accuracy of what was generated, and of the still below."""
    assert re.search(
        r"^ *generated +\d+\.\d\d \([+-]\d+% against the still\) +\d\.\d\d +\d+\.\d%", out, flags=re.MULTILINE
    ), out
    assert re.search(r"^ *still image +\d+\.\d\d +\d\.\d\d +\d+\.\d%", out, flags=re.MULTILINE), out


def test_the_gan_is_trained_and_checked(done: dict[str, Done], desk: Path):
    told = done["zoo info my-gan"].out
    assert all(f"model.{name}" in told for name in ("adversarial_weight", "adversarial_start", "gradient_clip"))
    assert_compared_with_the_still(_of(done, "zoo fit my-gan").out)
    (metrics,) = desk.glob("runs/my-gan/synthgrid/*/metrics.csv")
    assert {"train/g_loss", "train/d_loss", "train/g_adversarial"} <= set(
        metrics.read_text().splitlines()[0].split(",")
    )
    checked = done["zoo plugin check my-gan --quick"].out
    assert " 0 failed" in checked
    assert "sound matters" in checked


def test_all_of_them_are_listed_with_what_they_bring(done: dict[str, Done]):
    found = {item["dist"]: item for item in json.loads(done["zoo plugin list --json"].out)}
    for dist, adds in (
        ("zoo-my-method", {"method": ["my-method"]}),
        ("zoo-my-gan", {"method": ["my-gan"]}),
        ("zoo-my-faces", {"dataset": ["my-faces"], "suite": ["my-faces"], "recipe": ["lipgan"]}),
        ("zoo-lip-gap", {"metric": ["lip_gap"]}),
    ):
        assert (found[dist]["status"], found[dist]["adds"], found[dist]["version"]) == ("ok", adds, "0.1.0")
    listed = json.loads(done["zoo list --json"].out)
    for group, name in (("methods", "my-method"), ("datasets", "my-faces"), ("metrics", "lip_gap")):
        assert name in {item["name"] for item in listed[group]}


def test_the_data_set_becomes_a_store_with_its_recipe_and_its_suite(done: dict[str, Done]):
    assert "windows_per_clip: 25" in done["zoo fit lipgan data=my-faces data.root=st --print-config"].out
    assert "3 clips" in done["zoo data prepare my-faces --root raw --out st --workers 1"].out
    assert "MyFaces, speakers never trained on" in _of(done, "zoo benchmark --dry-run").out


def test_the_metric_scores(done: dict[str, Done]):
    assert json.loads(done["zoo plugin check lip_gap --kind metric --quick --json"].out)["ok"]
    scores = json.loads(_of(done, "zoo score").out)
    assert "lip_gap|gap:outer" in json.dumps(scores)


@pytest.mark.parametrize("template", ["method", "gan"])
def test_the_network_of_the_template_learns_from_the_sound(
    template: str, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
):
    """Fitted to a few windows, it draws them better than the still, and better with their own sound than another's."""
    for folder in ("method", template):
        monkeypatch.syspath_prepend(str(TEMPLATES / folder))
    config_of, method_of = (import_module(f"zoo_new_{template}.{part}") for part in ("config", "method"))
    name = f"New{template.capitalize()}"
    recipe = yaml.safe_load((TEMPLATES / template / f"zoo_new_{template}" / "recipes" / "synthgrid.yaml").read_text())
    settings = getattr(config_of, f"{name}Config")(**{**recipe["model"], "width": 4, "learning_rate": 4e-3})
    torch.manual_seed(0)
    method = getattr(method_of, name)(settings)
    windows = Windows(Store(tiny_store), method.input_spec)
    batch = collate([windows[Draw(0, (seed,))] for seed in range(12)]).unit()
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(method, DataLoader([batch] * 80, batch_size=None, collate_fn=lambda item: item))
    method.eval()
    weights = lip_weights(batch.landmarks.flatten(0, 1), batch.frames.shape[-2:], settings.lip_weight)

    def error(frames: torch.Tensor) -> float:
        return float(weighted_l1(frames.flatten(0, 1), batch.frames.flatten(0, 1), weights))

    with torch.inference_mode():
        own = error(method.reconstruct(batch))
        other = error(method.reconstruct(given_other(batch, sound=batch.given.sound.roll(6, 0))))
    assert own < 0.6 * error(batch.given.stills)
    assert own < 0.8 * other
    for module in [module for module in sys.modules if module.startswith("zoo_new_")]:
        del sys.modules[module]
