"""Settings: which layer wins, and what is said of a setting that is wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from zoo import registry
from zoo.methods import trainable
from zoo.registry import config
from zoo.registry.spec import MethodSpec, reason, setting
from zoo.support.errors import ConfigError
from zoo.training.fit import make_trainer


@pytest.fixture(scope="module")
def lipgan() -> MethodSpec:
    return registry.method("lipgan")


@dataclasses.dataclass
class Mine:
    """Settings of a method made up here; its recipes are the files of a package made in a test."""

    width: float = setting(1.0, "factor on all channel counts", "Table 1", least=0.1)
    kind: str = setting("a", "which kind", "code", choices=("a", "b"))
    steps: int = setting(5, "how many", "ours")

    def __post_init__(self) -> None:
        if self.steps > 100:
            raise ValueError("model.steps: more than 100 never end")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MethodSpec:
    package = tmp_path / f"recipes_{abs(hash(str(tmp_path)))}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "synthgrid.yaml").write_text("seed: 1\nmodel: {steps: 10}\ndata: {batch_size: 10}\n")
    (package / "grid.yaml").write_text("seed: 2\nmodel: {steps: 20}\n")
    (package / "typo.yaml").write_text("model: {stps: 1}\n")
    (package / "torn.yaml").write_text("model: {steps: \n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return MethodSpec(name="mine", summary="", target="", config=f"{__name__}:Mine", recipes=package.name)


def message(spec: MethodSpec, *overrides: str, file: Path | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        config.resolve(spec, overrides, file)
    text = str(error.value)
    assert error.value.exit_code == 2
    assert text
    assert "\n" not in text
    return text


def test_defaults_then_recipe_then_file_then_command_line(mine: MethodSpec, tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("model: {steps: 30}\ndata: {batch_size: 30}\n")
    got = config.resolve(mine, ["data.batch_size=40"], file)
    assert (got.model.width, got.seed, got.model.steps, got.data.batch_size) == (1.0, 1, 30, 40)
    assert isinstance(got.model, Mine)
    assert got.method == "mine"


def test_a_methods_own_setting_needs_no_prefix(mine: MethodSpec):
    run = config.resolve(mine, ["width=0.5", "seed=4", "data=grid", "model.kind=b"])
    assert (run.model.width, run.model.kind, run.seed, run.data.name) == (0.5, "b", 4, "grid")
    with pytest.raises(ConfigError, match=r"unknown setting 'widht'; did you mean 'model.width'\?"):
        config.resolve(mine, ["widht=0.5"])
    assert config.own_settings(mine, ["seed=1", "model.width=2", "steps=3"]) == [
        "seed=1", "model.width=2", "model.steps=3",
    ]  # fmt: skip


def test_data_set_picks_the_recipe_wherever_it_is_named(mine: MethodSpec, tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("data: grid\n")
    for overrides, given in ((["data=grid"], None), (["data.name=grid"], None), ([], file)):
        got = config.resolve(mine, overrides, given)
        assert (got.data.name, got.seed, got.model.steps, got.data.batch_size) == ("grid", 2, 20, 16)
    assert config.resolve(mine, ["data=synthgrid"], file).seed == 1, "the command line wins over the file"
    file.write_text("data: {name: grid, batch_size: 3}\n")
    assert (config.resolve(mine, [], file).seed, config.resolve(mine, [], file).data.batch_size) == (2, 3)


def test_another_data_sets_recipe_can_be_named(mine: MethodSpec, tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("data: folder\nrecipe: grid\n")
    for overrides, given in ((["data=folder", "recipe=grid"], None), ([], file)):
        got = config.resolve(mine, overrides, given)
        assert (got.data.name, got.seed, got.model.steps, got.data.batch_size) == ("folder", 2, 20, 16)
    assert message(mine, "recipe=gird").startswith("recipe: mine has no recipe 'gird'; known: grid, ")


def test_a_data_set_without_a_recipe_takes_that_of_one_like_it_or_the_defaults(mine: MethodSpec, lipgan: MethodSpec):
    got = config.resolve(mine, ["data=folder"])
    assert (got.data.name, got.seed, got.model.steps) == ("folder", 2, 20)
    got = config.resolve(mine, ["data=nowhere"])
    assert (got.data.name, got.seed, got.model.steps) == ("nowhere", 0, 5)
    own, other = (config.resolve(lipgan, [f"data={name}"]) for name in ("folder", "grid"))
    other.data.name = "folder"
    assert own == other


def test_an_earlier_run_stands_in_for_the_recipe(mine: MethodSpec):
    got = config.resolve(mine, ["seed=9"], base=config.Layer("run", {"model": {"steps": 77}, "data": {"name": "grid"}}))
    assert (got.model.steps, got.data.name, got.seed) == (77, "grid", 9)


@pytest.mark.parametrize("data", ["synthgrid", "grid", "folder"])
def test_recipes_that_come_with_the_zoo_resolve(lipgan: MethodSpec, data: str):
    assert config.resolve(lipgan, [f"data={data}"]).data.name == data


def test_what_is_printed_is_read_again(lipgan: MethodSpec, tmp_path: Path):
    overrides = ["data=grid", "data.root=/a b/c.d", "trainer.max_time=12:00:00:00", "trainer.devices=[0,1]", "seed=3"]
    overrides += ["model.learning_rate=1e-5", "trainer.limit_train_batches=3", "trainer.limit_val_batches=0.5"]
    first = config.resolve(lipgan, overrides)
    assert (first.trainer.max_time, first.data.root) == ("12:00:00:00", "/a b/c.d")
    assert (first.trainer.limit_train_batches, first.trainer.limit_val_batches) == (3, 0.5)
    file = tmp_path / "printed.yaml"
    file.write_text(config.to_yaml(first))
    again = config.resolve(lipgan, [], file)
    assert again == first
    assert config.to_yaml(again) == file.read_text()


def test_every_setting_has_help_and_those_of_a_method_a_source(lipgan: MethodSpec):
    for key, field in config.settings(config.RunConfig(model=lipgan.settings())):
        assert field.metadata["help"], key
        if key.startswith("model."):
            assert field.metadata["source"], key


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.widht=1", "command line: unknown setting 'model.widht'; did you mean 'model.width'?"),
        ("widht=1", "command line: unknown setting 'widht'; did you mean 'model.width'?"),
        ("batch_size=1", "command line: unknown setting 'batch_size'; did you mean 'data.batch_size'?"),
        ("trainer.epochs=1", "command line: unknown setting 'trainer.epochs'; did you mean 'trainer.max_epochs'?"),
        ("zzz=1", "command line: unknown setting 'zzz'; `zoo fit METHOD --print-config` lists the settings"),
        (
            "trainer.max_epochs=abc",
            "command line: trainer.max_epochs: Value 'abc' of type 'str' could not be converted",
        ),
        ("seed=1.5", "command line: seed: Value '1.5' of type 'float' could not be converted to Integer"),
        ("seed=", "command line: seed: Incompatible value 'None' for field of type 'int'"),
        ("data.batch_size=0", "command line: data.batch_size: must be at least 1, not 0"),
        ("data.num_workers=-1", "command line: data.num_workers: must be at least 0, not -1"),
        ("seed=-1", "command line: seed: must be at least 0, not -1"),
        ("logger=foo", "command line: logger: 'foo' is none of csv, wandb, tensorboard"),
        ("model.frontend=foo", "command line: model.frontend: 'foo' is none of mel, mfcc"),
        ("model=null", "model: 'None' is no set of settings; give them one by one, as model.KEY=VALUE"),
        ("model=3", "command line: Merge error: int is not a subclass of LipGANConfig. value: 3"),
        ("trainer.limit_train_batches=foo", "command line: trainer.limit_train_batches: Value 'foo' of type 'str' is"),
        ("trainer", "command line: 'trainer' is not of the form key=value"),
        ("=3", "command line: '=3' is not of the form key=value"),
        ("data.root={", "command line: data.root={: line 2: did not find expected node content"),
        ("data=${nothing}", "command line: data.name: '${nothing}': settings are plain, nothing is looked up in them"),
        ("logger=${nothing}", "command line: logger: '${nothing}': settings are plain, nothing is looked up in them"),
        ("method=other", "command line: these are settings of 'other', not of 'lipgan'"),
    ],
)
def test_a_wrong_setting_is_one_line_with_its_source(lipgan: MethodSpec, override: str, expected: str):
    assert message(lipgan, "data.clips=6", override).startswith(expected)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"modl: {width: 1}", "unknown setting 'modl'; did you mean 'model'?"),
        (b"model: {widht: 1}", "unknown setting 'model.widht'; did you mean 'model.width'?"),
        (b"trainer: {max_epochs: many}", "trainer.max_epochs: Value 'many' of type 'str' could not be converted"),
        (b"data: {batch_size: 0}", "data.batch_size: must be at least 1, not 0"),
        (b"data: 3", "Merge error: int is not a subclass of DataConfig"),
        (b"- a\n- b\n", "settings must be 'key: value' lines"),
        (b"seed: 1\nmodel: {width: ", "not valid YAML (line "),
        (b"seed: 1\nseed: 2", "not valid YAML (line 2: found duplicate key seed)"),
        (b"\x80\x81\xff\x00", "cannot be read ("),
        (b"a: \x00", "not valid YAML ("),
        (b"!!python/object/apply:os.system [echo]", "not valid YAML (line 1: could not determine a constructor"),
        (b"method: other\nmodel: {depth: 3}", "these are settings of 'other', not of 'lipgan'"),
    ],
)
def test_a_wrong_file_is_one_line_with_its_name(lipgan: MethodSpec, tmp_path: Path, content: bytes, expected: str):
    file = tmp_path / "my settings.v1.yaml"
    file.write_bytes(content)
    assert message(lipgan, file=file).startswith(f"{file}: {expected}")


def test_a_file_that_cannot_be_opened(lipgan: MethodSpec, tmp_path: Path):
    assert (
        message(lipgan, file=tmp_path / "no.yaml")
        == f"{tmp_path / 'no.yaml'}: cannot be read (No such file or directory)"
    )
    assert message(lipgan, file=tmp_path) == f"{tmp_path}: cannot be read (Is a directory)"


def test_an_empty_file_changes_nothing(lipgan: MethodSpec, tmp_path: Path):
    file = tmp_path / "empty.yaml"
    file.write_text("# nothing yet\n")
    assert config.resolve(lipgan, [], file) == config.resolve(lipgan)


def test_a_wrong_recipe_names_the_recipe(mine: MethodSpec):
    assert message(mine, "data=typo").startswith("recipe mine/typo.yaml: unknown setting 'model.stps'")
    assert message(mine, "data=torn").startswith("recipe mine/torn.yaml: not valid YAML (line ")


def test_a_methods_own_limits(mine: MethodSpec):
    assert message(mine, "model.width=0") == "command line: model.width: must be at least 0.1, not 0.0"
    assert message(mine, "model.kind=c") == "command line: model.kind: 'c' is none of a, b"
    assert message(mine, "model.steps=101") == "settings: model.steps: more than 100 never end"


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("trainer.precision=foo", "Precision 'foo' is invalid"),
        ("trainer.accelerator=foo", "invalid accelerator name"),
        ("trainer.strategy=foo", "invalid strategy name"),
        ("trainer.devices=0", "devices=0"),
        ("trainer.max_time=soon", "Expected a string in the format DD:HH:MM:SS"),
        ("trainer.limit_train_batches=2.5", "2.5"),
        ("trainer.max_epochs=-5", "max_epochs"),
    ],
)
def test_what_lightning_refuses_is_an_error_of_the_settings(
    lipgan: MethodSpec, override: str, part: str, tmp_path: Path
):
    resolved = config.resolve(lipgan, ["trainer.accelerator=cpu", override])
    with pytest.raises(ConfigError, match=r"^trainer: ") as error:
        make_trainer(resolved, [], [], tmp_path)
    assert part in str(error.value)


def test_a_reason_is_one_line():
    assert reason(ValueError("one\n  two")) == "ValueError: one two"
    assert reason(SystemExit()) == "SystemExit"


def test_settings_under_their_old_names_are_told_once_and_taken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(config, "_told", set())
    spec = registry.method("lipgan")
    old = config.Layer("runs/old/config.yaml", {"model": {"judged_from": 0.25, "fade": 0.5}})
    for _ in range(2):
        model = config.merge(spec, [old]).model
        assert (model.adversarial_start, model.lr_decay_fraction) == (0.25, 0.5)
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "runs/old/config.yaml: model.judged_from is now model.adversarial_start" in told
    assert config.resolve(spec, ["fade=0.75"]).model.lr_decay_fraction == 0.75
    assert config.resolve(spec, ["model.judged_from=1"]).model.adversarial_start == 1


def test_old_checkpoints_are_read(tmp_path: Path):
    """Both as a checkpoint, and as the weights that a run starts from: nothing differs but the name."""
    spec = registry.method("lipgan")
    module = trainable.build(spec, config.resolve(spec, ["width=0.06", "adversarial_start=0.5"]).model)
    metadata = module.checkpoint_metadata()
    metadata["config"]["judged_from"] = metadata["config"].pop("adversarial_start")
    torch.save({"zoo": metadata, "state_dict": module.state_dict()}, tmp_path / "old.ckpt")
    loaded = trainable.load_checkpoint(tmp_path / "old.ckpt")
    assert loaded.config.adversarial_start == 0.5
    assert trainable.start_from(loaded, tmp_path / "old.ckpt") == {}
