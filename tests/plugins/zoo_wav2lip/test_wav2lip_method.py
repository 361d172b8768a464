"""Wav2Lip's training and generation: who gets gradients, which losses when, what is hidden, what is heard."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from zoo_wav2lip.config import Wav2LipConfig
from zoo_wav2lip.method import Wav2Lip
from zoo_wav2lip.networks import SIZE

from tests.helpers.batches import random_windows, request
from tests.helpers.steps import at_step
from zoo import registry
from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate
from zoo.media import audio
from zoo.methods import trainable
from zoo.registry.spec import Uses
from zoo.support.errors import ConfigError, DataError
from zoo.synthesis.make import make as make_clips

THIN = Wav2LipConfig(width=0.06)


pytestmark = pytest.mark.usefixtures("one_thread")


def make(config: Wav2LipConfig = THIN) -> Wav2Lip:
    module = trainable.build(registry.method("wav2lip"), config, seed=1)
    assert isinstance(module, Wav2Lip)
    return module


def random_batch(module: Wav2Lip, size: int = 2, frames: int = 5) -> Batch:
    return random_windows(size, frames, SIZE, module.input_spec.context)


class Run:
    """Training steps of a module without a Trainer; keeps what is logged and what the networks are shown."""

    def __init__(self, module: Wav2Lip, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module = module
        self.optimisers = module.configure_optimizers()
        self.logged: dict[str, float] = {}
        self.drawn: list[tuple[Tensor, Tensor, Tensor]] = []
        self.judged: list[tuple[Tensor, Tensor]] = []
        monkeypatch.setattr(module, "optimizers", lambda: self.optimisers)
        monkeypatch.setattr(module, "manual_backward", lambda loss: loss.backward())
        monkeypatch.setattr(module, "log", lambda name, value, **_: self.logged.update({name: float(value)}))
        module.generator.register_forward_hook(
            lambda _, given, out: self.drawn.append((*(g.detach() for g in given), out.detach()))
        )
        module.discriminator.register_forward_hook(
            lambda _, given, out: self.judged.append((given[0].detach(), out.detach()))
        )

    def step(self, batch: Batch, number: int = 0) -> None:
        self.logged.clear(), self.drawn.clear(), self.judged.clear()
        self.module.train()
        self.module.training_step(batch, number)


def test_one_step_reaches_every_parameter(monkeypatch: pytest.MonkeyPatch):
    module = make()
    module.sync_joined.fill_(1)
    run = Run(module, monkeypatch)
    before = {name: value.clone() for name, value in module.named_parameters()}
    run.step(random_batch(module))
    for name, value in module.named_parameters():
        assert value.grad is not None, name
        assert value.grad.isfinite().all(), name
        # Batch normalisation takes away the mean, so the bias before it moves by rounding only.
        if not name.endswith(".0.bias"):
            assert not torch.equal(value, before[name]), name


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("disc_weight", [0.0, 0.07])
def test_the_losses_of_a_step(joined: bool, disc_weight: float, monkeypatch: pytest.MonkeyPatch):
    """0.03 sync + 0.07 quality + 0.90 L1; what has not joined leaves its share to L1."""
    module = make(replace(THIN, disc_weight=disc_weight, lip_weight=3.0))
    module.sync_joined.fill_(int(joined))
    run = Run(module, monkeypatch)
    batch = random_batch(module)
    run.step(batch)
    ((shown, mel, flat),) = run.drawn
    made, real = flat.view(2, 5, 3, SIZE, SIZE), batch.frames

    # Each frame: its own upper half, the window's one still, its own sound.
    for b in range(2):
        for t in range(5):
            target, reference = shown[5 * b + t].split(3)
            assert torch.equal(target[:, :48], real[b, t, :, :48])
            assert (target[:, 48:] == 0).all()
            assert torch.equal(reference, batch.given.stills[b, 0])
            sound = batch.given.sound[b : b + 1, 640 * t : 640 * t + 3800]
            assert torch.allclose(mel[5 * b + t], module.frontend(sound)[0], atol=1e-5)

    weights = torch.ones(2, 5, 1, SIZE, SIZE)
    lips = batch.landmarks[:, :, 48:]
    low, high = lips.amin(2), lips.amax(2)
    reach = 0.25 * (high - low)[..., 0]
    grid = torch.arange(SIZE)
    for b in range(2):
        for t in range(5):
            inside = [
                (grid >= low[b, t, axis] - reach[b, t]) & (grid <= high[b, t, axis] + reach[b, t]) for axis in (1, 0)
            ]
            weights[b, t, 0][inside[0][:, None] & inside[1]] = 3
    l1 = (weights * (made - real).abs()).mean().item()
    assert run.logged["train/l1"] == pytest.approx((made - real).abs().mean().item(), rel=1e-5)

    sync = module.sync_loss(made, audio.per_frame(batch.given.sound, 5, 3800)).item()
    expected, left = 0.0, 1.0
    if joined:
        expected, left = expected + 0.03 * sync, left - 0.03
        assert run.logged["train/sync"] == pytest.approx(sync, rel=1e-4)
    else:
        assert "train/sync" not in run.logged
    if disc_weight:
        (lower, verdict), (both, verdicts) = run.judged
        assert torch.equal(lower, made[..., 48:, :].flatten(0, 1))
        assert torch.equal(both, torch.cat([real[..., 48:, :].flatten(0, 1), lower]))
        quality = -verdict.sigmoid().log().mean().item()
        expected, left = expected + 0.07 * quality, left - 0.07
        of_real, of_made = verdicts.sigmoid().chunk(2)
        wanted = -of_real.log().mean() - (1 - of_made).log().mean()
        assert run.logged["train/d_loss"] == pytest.approx(wanted.item(), rel=1e-4)
        assert run.logged["train/d_real"] == pytest.approx(of_real.mean().item(), rel=1e-4)
        assert run.logged["train/d_generated"] == pytest.approx(of_made.mean().item(), rel=1e-4)
    else:
        assert run.judged == []
        assert all(p.grad is None for p in module.discriminator.parameters())
    assert run.logged["train/g_loss"] == pytest.approx(expected + left * l1, rel=1e-4)


def test_the_sync_loss_reaches_the_generator_and_not_the_expert(monkeypatch: pytest.MonkeyPatch):
    """With L1 taken away, all that moves the generator came through the frozen expert."""
    module = make(replace(THIN, sync_weight=0.5, disc_weight=0.0))
    module.sync_joined.fill_(1)
    monkeypatch.setattr("zoo.methods.framewise.weighted_l1", lambda made, real, weights: made.new_zeros(()))
    before = {name: value.clone() for name, value in module.sync_loss.expert.state_dict().items()}
    Run(module, monkeypatch).step(random_batch(module))
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.generator.output[1].parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.sync_loss.expert.state_dict().items())
    assert not any("expert" in name for name in module.state_dict())  # a generator is loaded without it


def test_the_published_schedule(monkeypatch: pytest.MonkeyPatch):
    """0 until the validation's sync loss falls below 0.75, then for good; a resumed run knows."""
    assert (THIN.sync_weight, THIN.disc_weight, THIN.sync_bar) == (0.03, 0.07, 0.75)
    module, joined = make(), []
    for value in (None, 1.2, 0.75, float("nan"), 0.7499, 2.0):
        found = {} if value is None else {"val/sync": torch.tensor(value)}
        monkeypatch.setattr(Wav2Lip, "trainer", SimpleNamespace(callback_metrics=found))
        module.on_validation_epoch_end()
        joined.append(int(module.sync_joined))
    assert joined == [0, 0, 0, 0, 1, 1]
    resumed = make()
    resumed.load_state_dict(module.state_dict())
    assert resumed.sync_joined == 1


def test_validation_asks_the_expert(monkeypatch: pytest.MonkeyPatch):
    module = make().eval()
    batch, logged = random_batch(module), {}
    monkeypatch.setattr(module, "log", lambda name, value, **more: logged.update({name: (float(value), more)}))
    with torch.inference_mode():
        module.validation_step(batch, 0)
        made = module.reconstruct(batch)
        sync = module.sync_loss(made, audio.per_frame(batch.given.sound, 5, 3800))
    assert logged["val/l1"][0] == pytest.approx((made - batch.frames).abs().mean().item())
    assert logged["val/sync"][0] == pytest.approx(sync.item())
    # All processes see the same value, so that the sync loss joins on all of them.
    assert all(more["sync_dist"] and more["batch_size"] == 2 for _, more in logged.values())


@pytest.mark.parametrize(
    ("val", "limit", "name", "config", "words"),
    [
        ([], 1.0, "synthgrid", THIN, "no clip to validate on: the sync loss never joins"),
        ([1], 0, "synthgrid", THIN, "no clip to validate on"),
        ([1], 1.0, "grid", THIN, "drawn, not grid"),
        ([], 1.0, "grid", replace(THIN, sync_weight=0.0), ""),
    ],
)
def test_it_says_where_the_expert_is_of_no_use(
    val: list[int], limit: float, name: str, config: Wav2LipConfig, words: str, monkeypatch: pytest.MonkeyPatch
):
    told: list[str] = []
    monkeypatch.setattr("zoo_wav2lip.joining.rank_zero_warn", told.append)
    monkeypatch.setattr(
        "zoo.methods.losses.sync.SyncLoss.check_data", lambda _, data: told.append(f"drawn, not {name}")
    )
    data = SimpleNamespace(clips={"val": val}, config=SimpleNamespace(name=name), path="STORE")
    monkeypatch.setattr(Wav2Lip, "trainer", SimpleNamespace(datamodule=data, limit_val_batches=limit))
    module = make(config)
    module.sync_joined.fill_(1)
    module.before_fit()
    assert module.sync_joined == 0, "weights that a run starts from bring no say in when the expert joins"
    module.on_train_start()
    assert len(told) == bool(words)
    assert not words or words in told[0]


def test_the_discriminator_joins_after_the_warm_up(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, adversarial_start=0.3, learning_rate=1e-3, lr_decay_fraction=0.5))
    run, calls, sizes = Run(module, monkeypatch), [], []
    for number in range(4):
        at_step(module, number, 4)
        run.step(random_batch(module), number)
        calls.append(len(run.judged))  # one for the generator's loss, one for its own
        sizes.append([o.param_groups[0]["lr"] for o in run.optimisers])
    assert calls == [0, 0, 2, 2]
    assert sizes == [[pytest.approx(1e-3 * share), 1e-3] for share in (1, 1, 1, 0.5)]


def test_training_lowers_the_losses(monkeypatch: pytest.MonkeyPatch):
    module = make(replace(THIN, learning_rate=3e-3))
    module.sync_joined.fill_(1)
    run = Run(module, monkeypatch)
    batch = random_batch(module)
    run.step(batch)
    first = dict(run.logged)
    for number in range(1, 6):
        run.step(batch, number)
    assert run.logged["train/l1"] < first["train/l1"]
    assert run.logged["train/d_loss"] < first["train/d_loss"]


def test_what_it_cannot_use(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="together less than 1"):
        make(replace(THIN, sync_weight=0.5, disc_weight=0.5))
    module = make()
    batch = random_batch(module)
    batch.length[1] = 3
    with pytest.raises(DataError, match="c1: wav2lip needs clips of at least 5 frames"):
        Run(module, monkeypatch).step(batch)
    with pytest.raises(DataError, match="nobody: no weights of sync-expert"):
        make(replace(THIN, expert="nobody")).before_fit()
    make(replace(THIN, expert="nobody", sync_weight=0.0)).before_fit()
    make(replace(THIN, expert="nobody")).eval().generate(
        request(torch.rand(1, 1, 3, SIZE, SIZE), torch.zeros(1, 640), 1)
    )


@pytest.fixture(scope="module")
def settled() -> Wav2Lip:
    """A network whose norms know its inputs, so that no signal has faded at the output."""
    module = make()
    for norm in module.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 1.0
    with torch.inference_mode():
        module.train().reconstruct(random_batch(module))
    return module.eval()


def test_no_true_mouth_is_seen(settled: Wav2Lip):
    """Whatever stands in the lower half of the true video, the same frames come out, in training and in generation."""
    batch = random_batch(settled)
    lower, upper = (replace(batch, frames=batch.frames.clone()) for _ in range(2))
    lower.frames[..., 48:, :] = torch.rand(2, 5, 3, 48, SIZE)
    upper.frames[..., :48, :] = torch.rand(2, 5, 3, 48, SIZE)
    wave = torch.rand(2, 5 * 640) - 0.5

    def asked(batch: Batch) -> Request:
        return request(batch.given.stills, wave, 5, batch.frames)

    with torch.inference_mode():
        for run in (
            settled.reconstruct,
            lambda batch: settled.generate(asked(batch)),
            lambda batch: make_clips(settled, settled.spec, asked(batch)),
        ):
            assert torch.equal(run(batch), run(lower))
            assert not torch.equal(run(batch), run(upper))
        photo = make_clips(settled, settled.spec, asked(batch), "photo")
        assert torch.equal(make_clips(settled, settled.spec, asked(upper), "photo"), photo)


def test_who_and_what_is_said_both_matter(settled: Wav2Lip):
    batch, wave = random_batch(settled), torch.rand(2, 3 * 640) - 0.5
    with torch.inference_mode():
        made = settled.generate(request(batch.given.stills, wave, 3))
        assert made.shape == (2, 3, 3, SIZE, SIZE)
        assert 0 <= made.min() <= made.max() <= 1
        assert (settled.generate(request(batch.given.stills, wave.flip(1), 3)) - made).abs().mean() > 1e-4
        assert (settled.generate(request(batch.given.stills.roll(1, 0), wave, 3)) - made).abs().mean() > 1e-4
        assert torch.equal(settled.generate(request(batch.given.stills, wave, 3)), made)


@pytest.mark.parametrize("frames", [1, 16, 75, 200])
def test_any_length(settled: Wav2Lip, frames: int):
    identity, wave = torch.rand(1, 1, 3, SIZE, SIZE), torch.rand(1, 640 * frames) - 0.5
    with torch.inference_mode():
        made = settled.generate(request(identity, wave, frames))
        assert made.shape == (1, frames, 3, SIZE, SIZE)
        # Past the first pass of 32 frames as before it: what a frame is does not depend on its neighbours.
        t = min(frames - 1, 40)
        sound = audio.cut(wave, *audio.frame_window(t, 1, 3800))
        alone = settled.render(identity[:, 0], identity[:, 0], settled.features(sound))
    assert (made[:, t] - alone).abs().max() < 1e-4


@pytest.mark.parametrize("delay", [0, 1])
def test_training_and_generation_hear_the_same(delay: int, tiny_store: Path, monkeypatch: pytest.MonkeyPatch):
    """A frame hears 0.2 s around itself, or around the frame ``sound_delay`` later, however it is made."""
    module = make(replace(THIN, sound_delay=delay)).eval()
    assert module.input_spec.context == 3800 + 2 * 640 * delay
    heard: list[Tensor] = []
    real = module.frontend.forward
    monkeypatch.setattr(module.frontend, "forward", lambda sound: heard.append(sound) or real(sound))
    store = Store(tiny_store)
    windows = Windows(store, module.input_spec)
    batch = collate([windows[Draw(0, (3,))]]).unit()
    whole = collate([windows[Draw(0, None)]]).unit()
    with torch.inference_mode():
        module.reconstruct(batch)
        make_clips(module, module.spec, whole.given)
    trained, generated = heard[0], torch.cat(heard[1:])
    first = int(batch.first)
    assert torch.equal(trained, generated[first : first + 5])
    for t in range(5):
        start = audio.frame_centre(first + t + delay) - 1900
        assert torch.equal(trained[t], store.wave(0, start, start + 3800))


def test_what_it_declares():
    assert make().spec.modes == (("dub", Uses(driver="upper half")), ("photo", Uses()))
    spec = make().input_spec
    assert (spec.crop, spec.size, spec.frames, spec.context, spec.paste) == ("face", (96, 96), 5, 3800, "lower")
    optimisers = make().configure_optimizers()
    assert [group["lr"] for o in optimisers for group in o.param_groups] == [1e-4, 1e-4]
    assert [o.defaults["betas"] for o in optimisers] == [(0.5, 0.999)] * 2
