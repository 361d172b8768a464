"""Training of the temporal GAN and of its static baseline: losses, gradients, learning rates, padding."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from zoo_temporal_gan.clips import mirrored
from zoo_temporal_gan.config import StaticGANConfig, TemporalGANConfig
from zoo_temporal_gan.losses import fooling_loss, half_l1
from zoo_temporal_gan.method import StaticGAN, TemporalGAN

from tests.helpers.steps import at_step
from tests.plugins.zoo_temporal_gan.temporal_gan_inputs import HEIGHT, STATIC, THIN, WIDTH, make, random_batch
from zoo.data.batch import Batch
from zoo.media import audio
from zoo.registry.spec import Uses
from zoo.support.errors import ConfigError

pytestmark = pytest.mark.usefixtures("one_thread")


class Run:
    """Training steps of a module without a Trainer; keeps what is logged and what the networks are shown."""

    def __init__(self, module: StaticGAN, monkeypatch: pytest.MonkeyPatch, epoch: int = 0) -> None:
        self.module = module
        self.optimisers = module.configure_optimizers()
        self.logged: dict[str, float] = {}
        self.shown: dict[str, list[tuple[Tensor, ...]]] = {}
        monkeypatch.setattr(module, "optimizers", lambda: self.optimisers)
        monkeypatch.setattr(module, "manual_backward", lambda loss: loss.backward())
        monkeypatch.setattr(module, "log", lambda name, value, **_: self.logged.update({name: value.item()}))
        monkeypatch.setattr(type(module), "current_epoch", property(lambda _: epoch))
        for name, network in module.named_children():
            network.register_forward_hook(
                lambda _, given, out, name=name: self.shown.setdefault(name, []).append(
                    (*(g.detach().clone() for g in given), out.detach().clone())
                )
            )

    def step(self, batch: Batch) -> None:
        torch.manual_seed(5)
        self.module.train()
        self.module.training_step(batch, 0)


BOTH = pytest.mark.parametrize("config", [THIN, STATIC], ids=["temporal", "static"])


@BOTH
@pytest.mark.parametrize("loss", ["non-saturating", "minimax"])
def test_one_step_reaches_every_parameter(config: StaticGANConfig, loss: str, monkeypatch: pytest.MonkeyPatch):
    module = make(replace(config, generator_loss=loss))
    run = Run(module, monkeypatch)
    before = {name: value.clone() for name, value in module.named_parameters()}
    run.step(random_batch(module))
    for name, value in module.named_parameters():
        assert value.grad is not None, name
        assert value.grad.isfinite().all(), name
        if not (".sound.layers" in name and name.endswith("bias")):  # a norm behind takes the mean away
            assert value.grad.abs().max() > 0, name
            assert not torch.equal(value, before[name]), name
    owned = [id(p) for o in run.optimisers for group in o.param_groups for p in group["params"]]
    assert sorted(owned) == sorted(id(p) for p in module.parameters())
    assert all(value == value for value in run.logged.values())


def log_sigmoid(logits: Tensor) -> Tensor:
    return torch.log(1 / (1 + torch.exp(-logits.double())))


@BOTH
@pytest.mark.parametrize("kind", ["non-saturating", "minimax"])
def test_the_losses_of_a_step(config: StaticGANConfig, kind: str, monkeypatch: pytest.MonkeyPatch):
    """Eq. 1 to 3 from what the networks gave in that step."""
    module = make(replace(config, generator_loss=kind, sampled_frames=2))
    run = Run(module, monkeypatch)
    batch = random_batch(module)
    run.step(batch)
    ((stills, windows, _, lengths, made),) = run.shown["generator"]
    real = torch.cat([2 * batch.frames[b, : batch.length[b]] - 1 for b in range(3)])
    assert torch.equal(stills, 2 * batch.given.stills[:, 0] - 1)
    assert lengths.tolist() == [3, 5, 4]
    heard = audio.per_frame(batch.given.sound, 5, module.context)
    assert torch.equal(windows, torch.cat([heard[b, : batch.length[b]] for b in range(3)]))

    # S(x): two frames of each clip, the same ones of the real and of the generated video, beside the clip's still.
    fooled, on_real, on_made = run.shown["frame_discriminator"]
    assert torch.equal(fooled[0], on_made[0])
    for (frames, beside, _), video in ((on_real, real), (on_made, made)):
        assert torch.equal(beside, stills.repeat_interleave(2, 0))
        for row, frame in enumerate(frames):
            (place,) = [n for n in range(12) if torch.equal(video[n], frame)]
            assert [range(3), range(3, 8), range(8, 12)][row // 2][0] <= place
            assert place <= [range(3), range(3, 8), range(8, 12)][row // 2][-1]

    def sign(logits: Tensor) -> Tensor:
        return -log_sigmoid(logits).mean() if kind == "non-saturating" else log_sigmoid(-logits).mean()

    adversarial = sign(fooled[-1])
    l1 = (real - made)[:, :, HEIGHT // 2 :].abs().mean()
    wanted = {"train/d_frame": -(log_sigmoid(on_real[-1]).mean() + log_sigmoid(-on_made[-1]).mean())}
    if isinstance(config, TemporalGANConfig):
        fooled, on_real, on_made = run.shown["sequence_discriminator"]
        assert torch.equal(fooled[0], made)
        assert torch.equal(on_real[0], real)
        assert torch.equal(on_made[0], made)
        assert all(torch.equal(given[1], windows) for given in (fooled, on_real, on_made))
        adversarial = adversarial + sign(fooled[-1])
        wanted["train/d_sequence"] = -(log_sigmoid(on_real[-1]).mean() + log_sigmoid(-on_made[-1]).mean())
    else:
        assert "train/d_sequence" not in run.logged
    wanted |= {"train/l1": l1, "train/g_loss": adversarial + 400 * l1}
    for name, value in wanted.items():
        assert run.logged[name] == pytest.approx(float(value), rel=1e-5), name


def test_the_terms_by_hand():
    made, real = torch.zeros(1, 3, 4, 2), torch.zeros(1, 3, 4, 2)
    real[..., :2, :], real[..., 2:, :] = 0.5, -0.25
    assert half_l1(made, real).item() == 0.25
    assert half_l1(made, real, upper=0.1).item() == pytest.approx(0.25 + 0.1 * 0.5)
    weights = torch.ones(1, 1, 4, 2)
    weights[..., 3, :] = 5
    weights[..., 0, :] = 3
    assert half_l1(made, real, weights).item() == pytest.approx(0.25 * (1 + 5) / 2)
    assert half_l1(made, real, weights, 0.1).item() == pytest.approx(0.25 * 3 + 0.1 * 0.5 * (3 + 1) / 2)
    logits = torch.tensor([0.3, -2.0])
    ones, zeros = torch.ones(2), torch.zeros(2)
    bce = F.binary_cross_entropy_with_logits
    assert fooling_loss(logits, "non-saturating").item() == pytest.approx(bce(logits, ones).item())
    assert fooling_loss(logits, "minimax").item() == pytest.approx(-bce(logits, zeros).item())


def test_weights_are_counted_and_zero_leaves_a_discriminator_out(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, l1_weight=7.0, upper_weight=0.5, frame_weight=0.0, sequence_weight=3.0))
    run = Run(module, monkeypatch)
    batch = random_batch(module)
    run.step(batch)
    made = run.shown["generator"][0][-1]
    real = torch.cat([2 * batch.frames[b, : batch.length[b]] - 1 for b in range(3)])
    l1 = half_l1(made, real, upper=0.5).item()
    assert run.logged["train/g_loss"] == pytest.approx(7 * l1 + 3 * run.logged["train/g_sequence"], rel=1e-5)
    assert "frame_discriminator" not in run.shown
    assert all(p.grad is None for p in module.frame_discriminator.parameters())


def test_the_lip_region_may_count_more(monkeypatch: pytest.MonkeyPatch):
    """Twenty times the difference inside the box of each frame's own lips, widened by a quarter of its width."""
    module = make(replace(THIN, lip_weight=20.0))
    run = Run(module, monkeypatch)
    batch = random_batch(module)
    run.step(batch)
    made = run.shown["generator"][0][-1]
    real = torch.cat([2 * batch.frames[b, : batch.length[b]] - 1 for b in range(3)])
    lips = torch.cat([batch.landmarks[b, : batch.length[b], 48:] for b in range(3)])
    weights = torch.ones(12, 1, HEIGHT, WIDTH)
    ys, xs = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    for n, points in enumerate(lips):
        (x0, y0), (x1, y1) = points.amin(0), points.amax(0)
        reach = 0.25 * (x1 - x0)
        weights[n, 0, (xs >= x0 - reach) & (xs <= x1 + reach) & (ys >= y0 - reach) & (ys <= y1 + reach)] = 20
    wanted = (weights * (made - real).abs())[:, :, HEIGHT // 2 :].mean()
    assert run.logged["train/l1"] == pytest.approx(wanted.item(), rel=1e-5)


def test_discriminators_join_after_the_warm_up(monkeypatch: pytest.MonkeyPatch):
    for done, joined in ((0, False), (1, False), (2, True)):
        module = make(replace(THIN, adversarial_start=0.5, lr_decay_fraction=1.0))
        run = Run(module, monkeypatch)
        at_step(module, done, 4)
        run.step(random_batch(module))
        assert ("sequence_discriminator" in run.shown) is joined
        assert ("train/d_frame" in run.logged) is joined
        sizes = [group["lr"] for o in run.optimisers for group in o.param_groups]
        assert sizes == pytest.approx([2e-4 * (1 - done / 4), 1e-3, 5e-5])
        if not joined:
            assert run.logged["train/g_loss"] == pytest.approx(400 * run.logged["train/l1"])


def test_the_three_learning_rates_and_their_decay(monkeypatch: pytest.MonkeyPatch):
    """2e-4 and 1e-3 lose 10 % in every epoch after the 20th, 5e-5 stays."""
    for config, stays in ((THIN, [5e-5]), (STATIC, [])):
        for epoch, left in ((0, 1), (19, 1), (20, 0.9), (21, 0.81), (22, 0.729)):
            module = make(config)
            run = Run(module, monkeypatch, epoch=epoch)
            rates = [group.learning_rate for groups in module.players().values() for group in groups]
            assert rates == pytest.approx([2e-4 * left, 1e-3 * left, *stays])
            if epoch == 21:
                run.step(random_batch(module))
                assert [group["lr"] for o in run.optimisers for group in o.param_groups] == pytest.approx(rates)


@BOTH
def test_padding_changes_nothing(config: StaticGANConfig, monkeypatch: pytest.MonkeyPatch):
    """Neither how much there is nor what stands in it: the same losses, gradients and norms after a step."""
    found = []
    for frames, content in ((5, 0.0), (5, 9.0), (11, float("nan"))):
        module = make(replace(config, sampled_frames=3))
        batch = random_batch(module, (2, 5, 3), frames)
        for row, length in enumerate((2, 5, 3)):
            batch.frames[row, length:] = content
            batch.given.sound[row, 640 * (length - 1) + module.context :] = content
        run = Run(module, monkeypatch)
        run.step(batch)
        state = {f"grad.{name}": p.grad for name, p in module.named_parameters()} | module.state_dict()
        found.append((run.logged, state))
    for logged, state in found[1:]:
        assert logged == pytest.approx(found[0][0], rel=1e-6)
        for name, value in found[0][1].items():
            assert torch.allclose(state[name], value, rtol=1e-5, atol=1e-7), name


def test_mirroring_turns_the_still_with_its_clip():
    module = make(THIN)
    batch = random_batch(module, (4, 4, 4, 4, 4, 4))
    torch.manual_seed(0)
    turned = mirrored(batch, 0.5)
    flips = [torch.equal(turned.frames[b], batch.frames[b].flip(-1)) for b in range(6)]
    assert 0 < sum(flips) < 6
    for b, flip in enumerate(flips):
        assert torch.equal(turned.given.stills[b], batch.given.stills[b].flip(-1) if flip else batch.given.stills[b])
        assert torch.equal(turned.frames[b], batch.frames[b].flip(-1) if flip else batch.frames[b])
        if flip:
            assert torch.allclose(turned.landmarks[b, ..., 0], WIDTH - 1 - batch.landmarks[b, ..., 0])
            assert torch.equal(turned.landmarks[b, ..., 1], batch.landmarks[b, ..., 1])
        else:
            assert torch.equal(turned.landmarks[b], batch.landmarks[b])
    assert torch.equal(turned.given.sound, batch.given.sound)
    assert mirrored(batch, 0.0) is batch


@BOTH
def test_training_lowers_the_l1(config: StaticGANConfig, monkeypatch: pytest.MonkeyPatch):
    module = make(replace(config, learning_rate=3e-3))
    run = Run(module, monkeypatch)
    batch = random_batch(module)
    run.step(batch)
    first = run.logged["train/l1"]
    for _ in range(12):
        run.step(batch)
    assert run.logged["train/l1"] < 0.9 * first


def test_what_it_declares():
    assert make(THIN).spec.modes == make(STATIC).spec.modes == (("sound", Uses()),)
    spec = make(THIN).input_spec
    assert (spec.crop, spec.size, spec.frames, spec.context) == ("aligned", (HEIGHT, WIDTH), None, 2560)
    assert (spec.identity, spec.num_identity, spec.paste) == ("first", 1, "all")
    assert make(replace(THIN, preset="released")).input_spec.context == 3200
    assert make(STATIC).input_spec.frames == 1
    assert make(STATIC).input_spec.context == 5600
    assert TemporalGANConfig().height == 128
    assert isinstance(make(THIN), TemporalGAN)
    assert isinstance(make(STATIC), StaticGAN)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sample_rate": 44_100}, "whole number of kHz"),
        ({"window_s": 0.199}, "prime factor"),
        ({"window_s": 0.1605}, "whole milliseconds"),
    ],
)
def test_sound_that_no_encoder_fits(change: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        make(replace(THIN, **change))
