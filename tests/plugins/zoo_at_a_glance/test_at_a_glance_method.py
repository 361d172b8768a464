"""At a Glance's training and generation: every ablation, who gets gradients, which loss, what is heard, any length."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torch.nn import functional as F
from zoo_at_a_glance.autoencoder.module import MouthAutoencoder
from zoo_at_a_glance.config import ABLATIONS, AtAGlanceConfig, AutoencoderConfig, FlowConfig
from zoo_at_a_glance.method import AtAGlance
from zoo_at_a_glance.spec import SPEC

from tests.helpers.batches import request
from tests.helpers.steps import at_step
from tests.plugins.zoo_at_a_glance.glance import THIN, Run, make, random_batch
from zoo import registry
from zoo.cli import main
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate, place
from zoo.methods import trainable
from zoo.methods.nn.flow import LucasKanade
from zoo.registry import config
from zoo.registry.spec import Uses
from zoo.support.errors import ConfigError, DataError
from zoo.synthesis.make import make as make_clips
from zoo.training.callbacks import StopAfter

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_table_of_ablations_is_table_2():
    """Which loss and which discriminator each column has; the numbers of ticks are those printed."""
    assert "".join(ABLATIONS) == "abcdefghi"
    has = {
        "pixel": [k for k, a in ABLATIONS.items() if a.pixel],
        "perceptual": [k for k, a in ABLATIONS.items() if a.perceptual],
        "correlation": [k for k, a in ABLATIONS.items() if a.correlation == "derivative"],
        "direct": [k for k, a in ABLATIONS.items() if a.correlation == "direct"],
        "two": [k for k, a in ABLATIONS.items() if a.discriminator == "two"],
        "three": [k for k, a in ABLATIONS.items() if a.discriminator == "three"],
        "difference": [k for k, a in ABLATIONS.items() if a.discriminator == "difference"],
    }
    assert {name: "".join(found) for name, found in has.items()} == {
        "pixel": "bcdefghi",  # 8 ticks
        "perceptual": "defghi",  # 6
        "correlation": "egi",  # 3
        "direct": "f",
        "two": "gh",
        "three": "acdef",  # 5
        "difference": "i",
    }


@pytest.mark.parametrize("ablation", list(ABLATIONS))
def test_every_ablation_takes_a_step_that_reaches_every_parameter(ablation: str, monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, ablation=ablation))
    run = Run(module, monkeypatch)
    before = {name: value.clone() for name, value in module.named_parameters()}
    run.step(random_batch(module))
    for name, value in module.named_parameters():
        if name.startswith("autoencoder"):  # fixed
            assert value.grad is None, name
            assert torch.equal(value, before[name]), name
        else:
            assert value.grad is not None, name
            assert value.grad.isfinite().all(), name
            assert not torch.equal(value, before[name]), name
    parts = ABLATIONS[ablation]
    assert ("train/d_loss" in run.logged) == (parts.discriminator != "none")
    assert ("train/correlation_generated" in run.logged) == (parts.correlation != "none")
    assert ("train/perceptual" in run.logged) == parts.perceptual
    assert module.steps_done == 1


def test_the_losses_of_a_step_are_the_papers(monkeypatch: pytest.MonkeyPatch):
    """Every term computed again from what the networks were shown, with weights that tell the terms apart."""
    settings = replace(
        THIN, pixel_weight=2.0, perceptual_weight=0.125, correlation_weight=0.5, adversarial_weight=4.0,
        fake_weight=0.25, mismatch_weight=0.75,
    )  # fmt: skip
    module = make(settings)
    run, batch = Run(module, monkeypatch), random_batch(module)
    assert module.sound_derivative is not None
    assert module.flow_encoder is not None
    assert module.discriminator is not None
    assert module.autoencoder is not None
    for name in ("sound_derivative", "flow_encoder"):
        run.watch(name, getattr(module, name))
    run.watch("last", module.generator.last)
    run.watch("sound", module.generator.sound)
    run.watch("head", module.discriminator.head)
    run.watch("features", module.autoencoder.encoder)
    run.step(batch)
    logged, real = run.logged, 2 * batch.frames - 1
    made = run.shown["last"][0][1].transpose(1, 2)

    pixel = (made - real).abs().mean().item()
    assert logged["train/l1"] == pytest.approx(pixel / 2, rel=1e-5)  # of pictures in [0, 1]
    wanted, got = (out for _, out in run.shown["features"])
    perceptual = (wanted - got).square().mean().item()
    assert logged["train/perceptual"] == pytest.approx(perceptual, rel=1e-5)

    # Correlation: of a[t] - a[t + 1] with the flow of the real and of the made video.
    sound = run.shown["sound"][0][1]
    (given,), heard = run.shown["sound_derivative"][0]
    assert torch.allclose(given.detach(), sound[:, :, :-1] - sound[:, :, 1:])
    cosines = []
    for (seen,), out in run.shown["flow_encoder"]:
        assert seen.shape == (2, 2, 15, 16, 16)
        cosines.append(1 - F.cosine_similarity(heard, out).mean().item())
    full = LucasKanade(levels=2, iterations=2, shrink=2).video(batch.frames)
    expected = F.avg_pool2d(full.flatten(0, 1), 4).view(2, 15, 2, 16, 16).transpose(1, 2)
    assert torch.allclose(run.shown["flow_encoder"][0][0][0].detach(), expected, atol=1e-4)
    assert logged["train/correlation_real"] == pytest.approx(cosines[0], abs=1e-5)
    assert logged["train/correlation_generated"] == pytest.approx(cosines[1], abs=1e-5)

    # Adversarial: logits of the generator's turn, then real, mismatched and made in the discriminator's.
    fooled, d_real, d_mismatched, d_made = (out.flatten().sigmoid() for _, out in run.shown["head"])
    adversarial = -fooled.log().mean().item()
    assert logged["train/g_adversarial"] == pytest.approx(adversarial, rel=1e-4)
    total = 2 * pixel + 0.125 * perceptual + 0.5 * sum(cosines) + 4 * adversarial
    assert logged["train/g_loss"] == pytest.approx(total, rel=1e-4)
    judged = -d_real.log().mean() - 0.25 * (1 - d_made).log().mean() - 0.75 * (1 - d_mismatched).log().mean()
    assert logged["train/d_loss"] == pytest.approx(judged.item(), rel=1e-4)
    # Mismatched: the same pictures, the other clip's sound.
    third = run.shown["head"][1][0][0].shape[1] // 3
    own, other = (run.shown["head"][k][0][0].detach() for k in (1, 2))
    assert torch.equal(own[:, third:], other[:, third:])
    assert torch.equal(own[:, :third].flip(0), other[:, :third])


def test_the_papers_settings_are_the_defaults():
    papers = AtAGlanceConfig()
    assert (papers.pixel_weight, papers.perceptual_weight, papers.correlation_weight) == (1.0, 1.0, 0.5)
    assert (papers.fake_weight, papers.mismatch_weight, papers.ablation) == (0.5, 0.5, "e")
    assert all(f.metadata["source"] for kind in (AtAGlanceConfig, AutoencoderConfig, FlowConfig) for f in fields(kind))
    module = make(replace(AtAGlanceConfig(width=0.06, autoencoder_width=0.03)))
    generator, discriminator, autoencoder = module.configure_optimizers()
    assert [(g["lr"], g["weight_decay"], g["betas"]) for g in generator.param_groups] == [
        (2e-4, 0, (0.5, 0.999)), (1e-4, 5e-4, (0.5, 0.999)),
    ]  # fmt: skip
    assert [g["lr"] for o in (discriminator, autoencoder) for g in o.param_groups] == [2e-4, 2e-4]


@pytest.mark.parametrize("data", ["synthgrid", "grid", "folder"])
@pytest.mark.parametrize("name", ["at-a-glance", "mouth-autoencoder", "mouth-flow"])
def test_recipes_resolve(name: str, data: str):
    run = config.resolve(registry.trainable(name), [f"data={data}"])
    assert run.data.name == data
    if data != "synthgrid":  # the published size
        assert run.model == registry.trainable(name).settings()
        assert run.data.batch_size == 24


def test_an_ablation_is_named_on_the_command_line():
    for letter in ABLATIONS:
        assert config.resolve(registry.method("at-a-glance"), [f"ablation={letter}"]).model.ablation == letter
    with pytest.raises(ConfigError, match="'j' is none of a, b, c, d, e, f, g, h, i"):
        config.resolve(registry.method("at-a-glance"), ["ablation=j"])


def test_the_third_stream_and_the_direct_correlation(monkeypatch: pytest.MonkeyPatch):
    differing = make(replace(THIN, ablation="i"))
    run, batch = Run(differing, monkeypatch), random_batch(differing)
    assert differing.discriminator is not None
    assert differing.discriminator.motion is not None
    run.watch("motion", differing.discriminator.motion)
    run.step(batch)
    real = F.avg_pool2d((2 * batch.frames - 1).flatten(0, 1), 4).view(2, 16, 3, 16, 16)
    (shown,), _ = run.shown["motion"][1]  # first the made video's, in the generator's turn
    assert torch.allclose(shown, (real[:, 1:] - real[:, :-1]).transpose(1, 2), atol=1e-6)

    direct = make(replace(THIN, ablation="f"))
    run = Run(direct, monkeypatch)
    assert direct.flow_encoder is not None
    assert direct.sound_derivative is not None
    run.watch("frames", direct.flow_encoder)
    run.watch("sound", direct.generator.sound)
    run.watch("heard", direct.sound_derivative)
    run.step(batch)
    assert torch.allclose(run.shown["frames"][0][0][0], real.transpose(1, 2), atol=1e-6)
    assert torch.equal(run.shown["heard"][0][0][0].detach(), run.shown["sound"][0][1])
    assert run.shown["frames"][0][1].shape == (2, 16)


def test_the_correlation_loss_reaches_the_generator_through_flow_and_sound():
    module = make(THIN)
    features, identity, _ = module.inputs(random_batch(module))
    sound = module.generator.encode(features)
    made = module.generator.draw(identity, sound.detach())
    assert module.flow is not None
    module.correlation(sound.detach(), made, module.flow(made)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.generator.last.parameters())
    module.zero_grad()
    module.correlation(sound, made.detach(), module.flow(made.detach())).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.generator.sound.parameters())


def test_without_weights_the_autoencoder_is_trained_first_and_then_fixed(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, autoencoder=None, autoencoder_steps=3))
    run, batch = Run(module, monkeypatch), random_batch(module)
    assert module.autoencoder is not None
    losses, moved = [], []
    for number in range(5):
        before = [p.clone() for p in module.autoencoder.parameters()]
        drawn = [p.clone() for p in module.generator.parameters()]
        statistics = [b.clone() for b in module.autoencoder.buffers()]
        run.step(batch, number)
        losses.append(run.logged.get("train/autoencoder"))
        moved.append(
            (
                any(not torch.equal(a, b) for a, b in zip(before, module.autoencoder.parameters(), strict=True)),
                any(not torch.equal(a, b) for a, b in zip(drawn, module.generator.parameters(), strict=True)),
                any(not torch.equal(a, b) for a, b in zip(statistics, module.autoencoder.buffers(), strict=True)),
            )
        )
    assert moved == [(True, False, True)] * 3 + [(False, True, False)] * 2
    assert losses[2] < losses[0]
    assert not module.autoencoder.training
    assert module.generator.training


def test_a_run_that_never_reaches_the_generator_is_refused(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, autoencoder=None, autoencoder_steps=3))
    for limits, refused in (([StopAfter(3)], True), ([StopAfter(4)], False), ([], False)):
        trainer = Trainer(max_epochs=-1, callbacks=[*limits], accelerator="cpu", logger=False)
        monkeypatch.setattr(AtAGlance, "trainer", property(lambda _, trainer=trainer: trainer))
        if refused:
            with pytest.raises(ConfigError, match="all 3 steps of this run would be the autoencoder's"):
                module.on_train_start()
        else:
            module.on_train_start()


def test_weights_of_the_autoencoder_are_taken_over(tmp_path: Path):
    spec = registry.trainable("mouth-autoencoder")
    expert = trainable.build(spec, AutoencoderConfig(width=0.03), seed=5)
    assert isinstance(expert, MouthAutoencoder)
    trainable.save_weights(expert, tmp_path / "ae.safetensors")
    module = make(replace(THIN, autoencoder=str(tmp_path / "ae.safetensors")))
    assert module.autoencoder is not None
    module.before_fit()
    for name, value in module.autoencoder.state_dict().items():
        assert torch.equal(value, expert.network.state_dict()[name]), name
    assert not any(p.requires_grad for p in module.autoencoder.parameters())
    wide = make(replace(THIN, autoencoder=str(tmp_path / "ae.safetensors"), autoencoder_width=0.06))
    with pytest.raises(DataError, match=r"model.autoencoder_width: .* has 0.03, not 0.06"):
        wide.before_fit()
    with pytest.raises(DataError, match="no weights of mouth-autoencoder; make some with `zoo fit mouth-autoencoder`"):
        make(THIN).before_fit()
    make(THIN).setup("test")  # whoever only generates needs none


def test_the_generators_learning_rates_fall(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, learning_rate=1e-3, lr_decay_fraction=0.5))
    run, batch, sizes = Run(module, monkeypatch), random_batch(module), []
    for number in (0, 2, 3, 4):
        at_step(module, number, 4)
        run.step(batch, number)
        sizes.append([group["lr"] for o in run.optimisers for group in o.param_groups])
    assert sizes == [[pytest.approx(rate) for rate in (share * 1e-3, share * 1e-4, 1e-3)] for share in (1, 1, 0.5, 0)]


def test_batch_normalisation_keeps_its_statistics_when_it_is_told(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, norm_fixed_from=0.5))
    run, batch = Run(module, monkeypatch), random_batch(module)
    for done, fixed in ((1, False), (2, True), (3, True)):
        before = {name: value.clone() for name, value in module.generator.named_buffers()}
        weights = [value.clone() for value in module.generator.parameters()]
        at_step(module, done, 4)
        run.step(batch, done)
        assert all(torch.equal(value, before[name]) for name, value in module.generator.named_buffers()) is fixed
        assert not all(map(torch.equal, weights, module.generator.parameters()))


def test_the_discriminator_joins_when_it_is_told(monkeypatch: pytest.MonkeyPatch):
    """Where there is no other loss, in (a), it is there from the first step: else the generator would learn nothing."""
    for ablation in ("e", "a"):
        module = make(replace(THIN, ablation=ablation, adversarial_start=0.5))
        run, batch = Run(module, monkeypatch), random_batch(module)
        at_step(module, 1, 4)
        run.step(batch)
        assert ("train/d_loss" in run.logged) == (ablation == "a")
        at_step(module, 2, 4)
        run.step(batch, 1)
        assert "train/d_loss" in run.logged


def test_training_lowers_the_error(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, ablation="b"))
    run, batch, errors = Run(module, monkeypatch), random_batch(module), []
    for number in range(12):
        run.step(batch, number)
        errors.append(run.logged["train/l1"])
    assert errors[-1] < 0.8 * errors[0]


def test_settings_that_make_no_sense(monkeypatch: pytest.MonkeyPatch):
    for change, words in (
        ("ablation=j", "'j' is none of a, b, c"),
        ("flow=farneback", "lucas-kanade, flownets, raft"),
        ("last_kernel=4", "must be odd"),
    ):
        with pytest.raises(ConfigError, match=words):
            make(config.resolve(registry.method("at-a-glance"), [change]).model)
    module = make(THIN)
    with pytest.raises(ConfigError, match="at least two windows"):
        Run(module, monkeypatch).step(random_batch(module, size=1))


@pytest.fixture(scope="module")
def settled() -> AtAGlance:
    """A network whose norms know its inputs, so that no signal has faded at the output."""
    module = make(THIN)
    for norm in module.modules():
        if isinstance(norm, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)):
            norm.momentum = 1.0
    with torch.inference_mode():
        module.train().reconstruct(random_batch(module))
    return module.eval()


@pytest.mark.parametrize("frames", [1, 16, 75, 200])
def test_any_length(settled: AtAGlance, frames: int):
    identity = torch.rand(1, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    wave = torch.rand(1, 640 * frames, generator=torch.Generator().manual_seed(1)) - 0.5
    with torch.inference_mode():
        made = settled.generate(request(identity, wave, frames))
    assert made.shape == (1, frames, 3, 64, 64)
    assert made.min() >= 0
    assert made.max() <= 1
    if frames > 16:  # the seams between windows are no larger than other changes
        steps = (made[0, 1:] - made[0, :-1]).abs().mean((1, 2, 3))
        assert steps[7::8].mean() < 1.5 * steps.mean()


def test_who_and_what_is_said_both_matter(settled: AtAGlance):
    batch, wave = random_batch(settled), torch.rand(2, 20 * 640) - 0.5
    with torch.inference_mode():
        made = settled.generate(request(batch.given.stills, wave, 20))
        assert (settled.generate(request(batch.given.stills, wave.flip(1), 20)) - made).abs().mean() > 1e-4
        assert (settled.generate(request(batch.given.stills.flip(0), wave, 20)) - made).abs().mean() > 1e-4
        # Shown a still only: the true video changes nothing.
        driven = request(batch.given.stills, wave, 20, torch.rand(2, 20, 3, 64, 64))
        assert torch.equal(settled.generate(driven), made)
        assert torch.equal(make_clips(settled, settled.spec, driven), made)


def test_training_generation_and_evaluation_hear_the_same(settled: AtAGlance, tiny_store: Path):
    store = Store(tiny_store)
    windows, length = Windows(store, settled.input_spec), store.clips[0].num_frames
    rows: list[Tensor] = []
    hook = settled.frontend.register_forward_hook(lambda _m, given, _o: rows.append(given[0]))
    test = collate([windows[Draw(0, None)]]).unit()
    with torch.inference_mode():
        settled.generate(test.given)
        heard = torch.cat(rows)
        for t in (0, 16, 40):
            seed = next((k,) for k in range(100_000) if place(length, settled.input_spec, 1, (k,))[0] == t)
            batch = collate([windows[Draw(0, seed)]]).unit()
            rows.clear()
            settled.reconstruct(batch)
            assert batch.first.item() == t
            assert torch.equal(rows[0][0], heard[t // 8])
    hook.remove()
    assert heard.shape == (9, 10_452)
    assert heard[2, 106] == store.wave(0)[16 * 640]  # 106 samples before its first frame appears


def test_clips_shorter_than_a_window(settled: AtAGlance):
    batch = random_batch(settled, frames=5)
    features, _, real = settled.inputs(settled.whole_windows(batch))
    assert features.shape == (2, 1, 64, 128)
    assert real.shape == (2, 16, 3, 64, 64)
    assert torch.equal(real[:, 4], real[:, 15])
    with torch.inference_mode():
        assert settled.reconstruct(batch).shape == (2, 5, 3, 64, 64)


def test_what_it_declares():
    spec = make(THIN).input_spec
    assert (spec.crop, spec.size, spec.frames, spec.context, spec.paste) == ("mouth", (64, 64), 16, 852, "all")
    assert spec.identity_gap == 0  # Sec. 4: any frame of the raw video
    assert SPEC.modes == (("sound", Uses()),)


def test_what_cannot_be_trained_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_store: Path):
    monkeypatch.chdir(tmp_path)
    for setting in ("model.flow=flownets", "model.autoencoder=gone.ckpt"):
        assert main.run(["fit", "at-a-glance", f"data.root={tiny_store}", setting]) in (1, 2)
    assert not (tmp_path / "runs").exists()
