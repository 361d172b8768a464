"""Error rates against jiwer and an edit distance of five lines; what the metric counts, leaves out and says of it."""

import random
from types import SimpleNamespace

import jiwer
import pytest
import torch

from zoo.evaluation.footage import Footage
from zoo.evaluation.judges import Judges
from zoo.evaluation.metrics.cer import GrammarCER, LipReadingCER, cer, character_edits
from zoo.evaluation.metrics.wer import GrammarWER, LipReadingWER, wer, word_edits
from zoo.experts.lip_reader.ctc import ALPHABET

SENTENCE = "bin blue at f two now"


def distance(a: list[str] | str, b: list[str] | str) -> int:
    """Levenshtein's distance, row by row."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        new = [i]
        for j, y in enumerate(b, start=1):
            new.append(min(row[j] + 1, new[-1] + 1, row[j - 1] + (x != y)))
        row = new
    return row[-1]


def sentences(count: int, seed: int) -> tuple[list[str], list[str]]:
    rng = random.Random(seed)
    words = ["bin", "lay", "blue", "a", "at", "two", "now", "set"]
    said = [" ".join(rng.choices(words, k=rng.randint(1, 7))) for _ in range(count)]
    read = [
        "" if rng.random() < 0.1 else " ".join(rng.choices(words + [text.split()[0]] * 4, k=rng.randint(0, 9)))
        for text in said
    ]
    return said, read


def spoken(text: str, sure: float = 0.9) -> torch.Tensor:
    labels = [label for character in text for label in (ALPHABET.index(character) + 1, 0)]
    probabilities = torch.full((len(labels), 28), (1 - sure) / 27)
    probabilities[torch.arange(len(labels)), torch.tensor(labels)] = sure
    return probabilities.log()


def footage(text: str, log_probs: torch.Tensor, seen: list[bool], reader: str = "lipnet-1") -> Footage:
    frames = len(seen)
    made = Footage(
        frames=torch.zeros(frames, 3, 8, 8, dtype=torch.uint8),
        wave=torch.zeros(frames * 640),
        landmarks=torch.zeros(frames, 68, 2),
        seen=torch.tensor(seen),
        judges=Judges(),
        text=text,
    )
    made.__dict__["reading"] = SimpleNamespace(log_probs=log_probs, reader=reader)
    return made


def test_equal_to_jiwer_and_to_a_plain_edit_distance():
    said, read = sentences(600, seed=1)
    for one, other in zip(said, read, strict=True):
        assert wer(one, other) == jiwer.wer(one, other)
        assert cer(one, other) == jiwer.cer(one, other)
        assert word_edits(one, other) == (distance(one.split(), other.split()), len(one.split()))
        assert character_edits(one, other) == (distance(one, other), len(one))
    assert wer(said, read) == jiwer.wer(said, read)
    assert cer(said, read) == jiwer.cer(said, read)
    mean = sum(wer(*pair) for pair in zip(said, read, strict=True)) / len(said)
    assert abs(wer(said, read) - mean) > 0.01  # sums of edits over sums of lengths, not a mean of rates


def test_case_and_surplus_spaces_do_not_count():
    assert wer(" Bin  blue\tAT ", "bin blue at") == 0
    assert cer(" Bin  blue\tAT ", "bin blue at") == 0
    assert wer(SENTENCE, "") == cer(SENTENCE, "") == 1
    assert wer("no", "no no no") == 2


def test_an_empty_reference_is_no_number():
    for rate in (wer, cer):
        with pytest.raises(ValueError, match="reference 1 is empty"):
            rate(["bin", "  "], ["bin", ""])
        with pytest.raises(ValueError, match="got 1 for 2"):
            rate(["bin", "lay"], ["bin"])
        with pytest.raises(ValueError, match="got 0 for 0"):
            rate([], [])


def test_the_metric_is_the_rate_over_all_clips_whatever_their_order():
    said, read = sentences(20, seed=2)
    for made, rate in ((LipReadingWER, wer), (LipReadingCER, cer)):
        metric, other = made(), made()
        for number, pair in enumerate(zip(said, read, strict=True)):
            metric.update(f"clip{number:02}", pair[1], pair[0])
            metric.update(f"clip{number:02}", pair[1], pair[0])  # a sampler that repeats clips
        for number in reversed(range(20)):
            other.update(f"clip{number:02}", read[number], said[number])
        assert metric.compute().item() == other.compute().item() == rate(said, read)
        result = metric.result()
        assert (result.clips, result.coverage) == (20, 1.0)
        assert result.low <= result.value <= result.high
        assert sum(row.total for row in metric.rows()) == (
            sum(len(text.split()) for text in said) if rate is wer else sum(map(len, said))
        )


def test_what_cannot_be_scored_lowers_coverage_and_never_becomes_a_number():
    metric = LipReadingWER(reader="lipnet-1")
    metric.update("good", spoken(SENTENCE), SENTENCE)
    metric.update("no-text", spoken(SENTENCE), " ")
    metric.update("nan", spoken(SENTENCE) * torch.nan, SENTENCE)
    metric.update("empty", torch.zeros(0, 28), SENTENCE)
    metric.update("hidden", spoken(SENTENCE), SENTENCE, seen=torch.zeros(75, dtype=torch.bool))
    seen = torch.ones(75, dtype=torch.bool)
    seen[:5] = False
    metric.update("partly", "bin blue at f two", SENTENCE, seen=seen)
    rows = {row.clip: row for row in metric.rows()}
    assert rows["good"].stats == (0.0, 6.0)
    assert rows["partly"].stats == (1.0, 6.0)
    assert (rows["partly"].scored, rows["partly"].total) == (5, 6)
    assert rows["partly"].reason == "5 of 75 frames missing or without a face"
    reasons = {"no-text": "no text", "nan": "NaN", "empty": "no frame", "hidden": "75 of 75 frames"}
    for clip, reason in reasons.items():
        assert rows[clip].stats == ()
        assert reason in rows[clip].reason
        assert rows[clip].total == (0 if clip == "no-text" else 6)
    result = metric.result()
    assert result.value == 1 / 12
    assert (result.clips, result.total) == (2, 6)
    assert result.coverage == pytest.approx(11 / 30)
    nothing = LipReadingCER()
    nothing.update("clip", spoken(SENTENCE), "")
    assert torch.isnan(nothing.compute())
    assert nothing.result().reason == "no text to compare with"
    strict = LipReadingWER(least_seen=1.0)
    strict.update("partly", SENTENCE, SENTENCE, seen=seen)
    assert torch.isnan(strict.compute())


def test_probabilities_instead_of_their_logarithms_are_an_error():
    with pytest.raises(ValueError, match="natural-log"):
        LipReadingWER().update("clip", spoken(SENTENCE).exp(), SENTENCE)


def test_decoding_is_part_of_the_protocol():
    assert LipReadingWER().signature.startswith("wer|decode:greedy|least_seen:0.9|reader:unnamed|zoo:")
    assert LipReadingWER(decode="beam", beam=7, reader="r").signature.startswith("wer|decode:beam|beam:7|")
    grammar = GrammarWER(reader="r")
    assert grammar.signature.startswith("wer_grammar|decode:grammar|grammar:64000-")
    assert GrammarCER().signature.startswith("cer_grammar|")
    assert LipReadingCER().signature.startswith("cer|")
    assert GrammarWER(grammar=[["yes", "no"]]).signature.split("|")[2].startswith("grammar:2-")
    misspelt = spoken("bin blui at f two now")
    plain = LipReadingWER(decode="beam")
    for metric in (plain, grammar):
        metric.update("clip", misspelt, SENTENCE)
    assert plain.compute().item() == pytest.approx(1 / 6)
    assert grammar.compute().item() == 0
    grammar.update("short", misspelt[:9], SENTENCE)
    assert {row.clip: row.reason for row in grammar.rows()}["short"] == "no sentence of the grammar fits into 9 frames"


def test_wrong_options(monkeypatch: pytest.MonkeyPatch):
    import jaxtyping

    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="greedy or beam, not 'grammar'"):
        LipReadingWER(decode="grammar")
    with pytest.raises(ValueError, match="cer: the beam is at least 1"):
        LipReadingCER(decode="beam", beam=0)
    with pytest.raises(ValueError, match=r"share 0\.\.1"):
        LipReadingWER(least_seen=90)


def test_observed_footage():
    metric = LipReadingWER()
    real = footage(SENTENCE, spoken("the real reading is not asked for"), [True] * 40)
    metric.observe("a", footage("", spoken(SENTENCE), [True] * 40), real)
    assert "reader:lipnet-1" in metric.signature
    metric.observe("short", footage("", spoken(SENTENCE), [True] * 38), real)
    metric.observe("too-short", footage("", spoken(SENTENCE), [True] * 20), real)
    rows = {row.clip: row for row in metric.rows()}
    assert rows["a"].stats == (0.0, 6.0)
    assert (rows["short"].scored, rows["short"].reason) == (5, "2 of 40 frames missing or without a face")
    assert rows["too-short"].stats == ()
    with pytest.raises(ValueError, match="the reader is lipnet-1, but a clip was judged by lipnet-2"):
        metric.observe("b", footage("", spoken(SENTENCE), [True] * 40, reader="lipnet-2"), real)
