"""LipGAN's training and generation: who gets gradients, which loss, what is hidden, what is heard."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from zoo_lipgan.config import LipGANConfig
from zoo_lipgan.method import LipGAN
from zoo_lipgan.networks import SIZE

from tests.helpers.batches import random_windows, request
from tests.helpers.steps import at_step
from zoo import registry
from zoo.data.batch import Batch
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate, place
from zoo.media import audio
from zoo.methods import trainable
from zoo.methods.nn.masked import mask_lower_half
from zoo.registry import config
from zoo.registry.spec import Uses
from zoo.support.errors import ConfigError
from zoo.synthesis.make import make as make_clips

THIN = LipGANConfig(width=0.06)


pytestmark = pytest.mark.usefixtures("one_thread")


def make(config: LipGANConfig) -> LipGAN:
    module = trainable.build(registry.method("lipgan"), config, seed=1)
    assert isinstance(module, LipGAN)
    return module


def random_batch(module: LipGAN, size: int = 4) -> Batch:
    return random_windows(size, 1, SIZE, module.frontend.samples)


class Run:
    """Training steps of a module without a Trainer; keeps what is logged and what the discriminator is shown."""

    def __init__(self, module: LipGAN, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module = module
        self.optimisers = module.configure_optimizers()
        self.logged: dict[str, float] = {}
        self.shown: list[tuple[Tensor, Tensor, Tensor]] = []
        monkeypatch.setattr(module, "optimizers", lambda: self.optimisers)
        monkeypatch.setattr(module, "manual_backward", lambda loss: loss.backward())
        monkeypatch.setattr(module, "log", lambda name, value, **_: self.logged.update({name: value.item()}))
        module.discriminator.register_forward_hook(
            lambda _, given, out: self.shown.append((*(g.detach() for g in given), out.detach()))
        )

    def step(self, batch: Batch, number: int = 0) -> None:
        self.module.train()
        self.module.training_step(batch, number)


@pytest.mark.parametrize("frontend", ["mel", "mfcc"])
@pytest.mark.parametrize("negatives", ["clip", "roll"])
def test_one_step_reaches_every_parameter(frontend: str, negatives: str, monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, frontend=frontend, negatives=negatives))
    run = Run(module, monkeypatch)
    before = {name: value.clone() for name, value in module.named_parameters()}
    run.step(random_batch(module))
    for name, value in module.named_parameters():
        assert value.grad is not None, name
        assert value.grad.isfinite().all(), name
        # Batch and instance norms take away the mean, so the bias before one moves by rounding only.
        if not name.endswith(".0.bias"):
            assert not torch.equal(value, before[name]), name
    assert all(value == value for value in run.logged.values())


@pytest.mark.parametrize("margin", [1.0, 2.0])
@pytest.mark.parametrize("negatives", ["clip", "roll"])
def test_the_losses_of_a_step(margin: float, negatives: str, monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, margin=margin, negatives=negatives, lip_weight=3.0))
    run = Run(module, monkeypatch)
    batch = random_batch(module)
    run.step(batch)
    (made, heard, d_made), (faces, sounds, distance) = run.shown
    features = module.features(batch.given.sound)
    real, elsewhere = batch.frames[:, 0], batch.given.stills[:, 0]

    # Generator: weighted L1 + 0.01 times the squared distance (label 0: it wants to be in sync).
    assert torch.equal(heard, features)
    lips = batch.landmarks[:, 0, 48:]
    low, high = lips.amin(1), lips.amax(1)
    reach = 0.25 * (high - low)[:, 0]
    weights = torch.ones(4, 1, SIZE, SIZE)
    for b in range(4):
        for y in range(SIZE):
            for x in range(SIZE):
                if (
                    low[b, 0] - reach[b] <= x <= high[b, 0] + reach[b]
                    and low[b, 1] - reach[b] <= y <= high[b, 1] + reach[b]
                ):
                    weights[b, 0, y, x] = 3
    error = (made - real).abs()
    assert run.logged["train/l1"] == pytest.approx(error.mean().item(), rel=1e-5)
    assert run.logged["train/g_sync"] == pytest.approx(d_made.square().mean().item(), rel=1e-5)
    expected = (weights * error).mean() + 0.01 * d_made.square().mean()
    assert run.logged["train/g_loss"] == pytest.approx(expected.item(), rel=1e-5)

    # Discriminator: generated (label 1), real in sync (label 0), real out of sync (label 1), as many of each.
    assert torch.equal(faces[:4], made)
    assert torch.equal(faces[4:8], real)
    assert torch.equal(sounds[:8], torch.cat([features, features]))
    if negatives == "clip":
        assert torch.equal(faces[8:], elsewhere)
        assert torch.equal(sounds[8:], features)
    else:
        assert torch.equal(faces[8:], real)
        assert not any(torch.equal(sounds[8 + b], features[b]) for b in range(4))
        assert {tuple(s.flatten().tolist()) for s in sounds[8:]} == {tuple(s.flatten().tolist()) for s in features}
    push = (margin - distance).clamp(min=0).square()
    wanted = torch.cat([push[:4], distance[4:8].square(), push[8:]]).mean()
    assert run.logged["train/d_loss"] == pytest.approx(wanted.item(), rel=1e-5)
    for name, part in zip(("generated", "in_sync", "out_of_sync"), distance.split(4), strict=True):
        assert run.logged[f"train/d_{name}"] == pytest.approx(part.mean().item(), rel=1e-5)


def test_alpha_of_one_is_plain_l1_and_no_adversary_no_discriminator(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, adversarial_weight=0.0, lip_weight=1.0))
    run = Run(module, monkeypatch)
    run.step(random_batch(module))
    assert run.logged["train/g_loss"] == pytest.approx(run.logged["train/l1"], rel=1e-6)
    assert run.shown == []
    assert all(p.grad is None for p in module.discriminator.parameters())


def test_the_discriminator_joins_after_the_warm_up_and_every_so_often(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, adversarial_start=0.4, discriminator_every=2))
    run = Run(module, monkeypatch)
    batch = random_batch(module)
    calls = []
    for number in range(5):
        run.shown.clear()
        at_step(module, number, 5)
        run.step(batch, number)
        calls.append(len(run.shown))  # one for the generator's loss, one for its own
    assert calls == [0, 0, 2, 1, 2]


def test_the_generators_learning_rate_stays_or_falls(monkeypatch: pytest.MonkeyPatch):
    for fade, expected in ((0.0, [1, 1, 1, 1]), (0.5, [1, 1, 1, 0.5])):
        module = make(replace(THIN, learning_rate=1e-3, lr_decay_fraction=fade))
        run, sizes = Run(module, monkeypatch), []
        for number in range(4):
            at_step(module, number, 4)
            run.step(random_batch(module), number)
            sizes.append([o.param_groups[0]["lr"] for o in run.optimisers])
        assert sizes == [[pytest.approx(1e-3 * share), 1e-3] for share in expected]


def test_one_window_is_too_few_for_batch_normalisation(monkeypatch: pytest.MonkeyPatch):
    module = make(THIN)
    with pytest.raises(ConfigError, match="at least two windows"):
        Run(module, monkeypatch).step(random_batch(module, size=1))


def test_training_lowers_both_losses(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, learning_rate=3e-3))
    run = Run(module, monkeypatch)
    batch = random_batch(module)
    run.step(batch)
    first = dict(run.logged)
    for number in range(1, 8):
        run.step(batch, number)
    assert run.logged["train/l1"] < first["train/l1"]
    assert run.logged["train/d_loss"] < first["train/d_loss"]


def test_settings_that_make_no_sense():
    for change, words in (
        ("frontend=lpc", "mel, mfcc"),
        ("negatives=none", "clip, roll"),
        ("lip_weight=0.5", "at least 1"),
    ):
        with pytest.raises(ConfigError, match=words):
            config.resolve(registry.method("lipgan"), [change])


@pytest.fixture(scope="module", params=["mel", "mfcc"])
def settled(request: pytest.FixtureRequest) -> LipGAN:
    """A network whose norms know its inputs, so that no signal has faded at the output."""
    module = make(replace(THIN, frontend=request.param))
    for norm in module.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 1.0
    with torch.inference_mode():
        module.train().reconstruct(random_batch(module))
    return module.eval()


def test_no_true_mouth_is_seen(settled: LipGAN):
    """Whatever stands in the lower half of the true video, the same frames come out, in training and in generation."""
    batch = random_batch(settled)
    other = replace(batch, frames=batch.frames.clone())
    other.frames[..., SIZE // 2 :, :] = torch.rand(4, 1, 3, SIZE // 2, SIZE)
    upper = replace(batch, frames=batch.frames.clone())
    upper.frames[..., : SIZE // 2, :] = torch.rand(4, 1, 3, SIZE // 2, SIZE)
    with torch.inference_mode():
        assert torch.equal(settled.reconstruct(batch), settled.reconstruct(other))
        assert not torch.equal(settled.reconstruct(batch), settled.reconstruct(upper))
        wave = torch.rand(4, 640) - 0.5
        asked, hidden, seen = (request(batch.given.stills, wave, 1, each.frames) for each in (batch, other, upper))
        for generate in (settled.generate, lambda given: make_clips(settled, settled.spec, given)):
            made = generate(asked)
            assert torch.equal(made, generate(hidden))
            assert not torch.equal(made, generate(seen))
        photo = make_clips(settled, settled.spec, asked, "photo")
        assert torch.equal(photo, make_clips(settled, settled.spec, seen, "photo"))
    masked = mask_lower_half(batch.frames)
    assert (masked[..., 48:, :] == 0).all()
    assert torch.equal(masked[..., :48, :], batch.frames[..., :48, :])


def test_who_and_what_is_said_both_matter(settled: LipGAN):
    batch = random_batch(settled)
    wave = torch.rand(4, 3 * 640) - 0.5
    with torch.inference_mode():
        made = settled.generate(request(batch.given.stills, wave, 3))
        assert made.shape == (4, 3, 3, SIZE, SIZE)
        assert made.min() >= 0
        assert made.max() <= 1
        sound = (settled.generate(request(batch.given.stills, wave.flip(1), 3)) - made).abs().mean()
        who = (settled.generate(request(batch.given.stills.roll(1, 0), wave, 3)) - made).abs().mean()
    assert sound > 1e-4
    assert who > 1e-4


@pytest.mark.parametrize("frames", [1, 32, 33, 70])
def test_any_length(settled: LipGAN, frames: int):
    identity, wave = torch.rand(1, 1, 3, SIZE, SIZE), torch.rand(1, 640 * frames) - 0.5
    with torch.inference_mode():
        made = settled.generate(request(identity, wave, frames))
        assert made.shape == (1, frames, 3, SIZE, SIZE)
        alone = settled.generate(request(identity, wave, 1))
    assert (made[:, :1] - alone).abs().max() < 1e-4


def heard_by(module: LipGAN, monkeypatch: pytest.MonkeyPatch, run: Any) -> Tensor:
    """The sound that the front end gets while ``run`` runs, one row per frame."""
    rows: list[Tensor] = []
    real = module.features
    with monkeypatch.context() as patch, torch.inference_mode():
        patch.setattr(module, "features", lambda sound: rows.append(sound) or real(sound))
        run()
    return torch.cat(rows)


def test_training_generation_and_evaluation_hear_the_same(
    settled: LipGAN, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
):
    store = Store(tiny_store)
    windows = Windows(store, settled.input_spec)
    length = store.clips[0].num_frames
    test = collate([windows[Draw(0, None)]]).unit()
    evaluated = heard_by(settled, monkeypatch, lambda: settled.generate(test.given))
    asked = request(test.given.stills, store.wave(0)[None], length)
    generated = heard_by(settled, monkeypatch, lambda: settled.generate(asked))
    assert evaluated.shape == (length, settled.frontend.samples)
    assert torch.equal(evaluated, generated)
    for t in (0, 1, length // 2, length - 2, length - 1):
        seed = next((k,) for k in range(100_000) if place(length, settled.input_spec, 1, (k,))[0] == t)
        batch = collate([windows[Draw(0, seed)]]).unit()
        assert batch.first.item() == t
        heard = heard_by(settled, monkeypatch, lambda batch=batch: settled.reconstruct(batch))
        assert torch.equal(heard[0], evaluated[t])
        middle = audio.frame_centre(t)
        assert heard[0, settled.frontend.samples // 2] == store.wave(0)[middle]


def test_the_mask_hides_the_mouth_of_real_clips(tiny_store: Path):
    """Lips lie in the half that the method never sees, in every frame of every clip."""
    store = Store(tiny_store)
    windows = Windows(store, make(THIN).input_spec)
    for clip in range(len(store)):
        lips = windows[Draw(clip, None)].landmarks[:, 48:]
        assert lips[..., 1].min() > SIZE // 2 - 1, clip
        assert lips[..., 1].max() < SIZE - 4
        assert lips[..., 0].min() > 10
        assert lips[..., 0].max() < SIZE - 10


def test_what_it_declares():
    assert make(THIN).spec.modes == (("dub", Uses(driver="upper half")), ("photo", Uses()))
    spec = make(THIN).input_spec
    assert (spec.crop, spec.size, spec.frames, spec.context, spec.paste) == ("face", (96, 96), 1, 6000, "lower")
    assert spec.identity_gap >= 6
    assert make(replace(THIN, frontend="mfcc")).input_spec.context == 5840
    optimisers = make(THIN).configure_optimizers()
    assert [group["lr"] for o in optimisers for group in o.param_groups] == [1e-4, 1e-4]
    assert SimpleNamespace(**optimisers[0].defaults).betas == (0.9, 0.999)
