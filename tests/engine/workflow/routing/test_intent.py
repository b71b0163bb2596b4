from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from engine.config.routing import Intent, Intents
from engine.errors import ConfigError, UnmeasuredError
from engine.workflow.embeddings.static import StaticEncoder
from engine.workflow.routing.classifier import Classifier
from engine.workflow.routing.intent import IntentRouter

WRITTEN = yaml.safe_load(Path(__file__).with_name("intents.yaml").read_text(encoding="utf-8"))
OUTSIDE = [str(text) for text in WRITTEN.pop("outside")]
SENTENCES = {name: [str(text) for text in texts] for name, texts in WRITTEN.items()}


@pytest.fixture(scope="module")
def encoder():
    return StaticEncoder()


@pytest.fixture
def embed(encoder):
    async def embed(texts):
        embed.texts += len(texts)
        return encoder.encode(texts)

    embed.texts = 0
    return embed


def by_examples(**changes):
    intents = {name: Intent(examples=tuple(texts[::2])) for name, texts in SENTENCES.items()}
    return Intents(intents=intents, **changes)


def test_the_sentences_are_many():
    assert len(SENTENCES) >= 8
    assert sum(map(len, SENTENCES.values())) >= 200


async def test_a_keyword_decides_without_the_encoder(embed):
    settings = Intents(intents={"billing": Intent(keywords=("invoice", "credit card"))})
    router = await IntentRouter.build(settings, embed, encoder="static")

    routed = await router.route("Where is my INVOICE, please?")

    assert (routed.intent, routed.by, embed.texts) == ("billing", "keyword", 0)


@pytest.mark.parametrize("text", ["invoices", "my discredit cards", ""])
async def test_a_keyword_is_a_whole_word(embed, text):
    settings = Intents(intents={"billing": Intent(keywords=("invoice", "credit card"))})
    router = await IntentRouter.build(settings, embed, encoder="static")

    assert (await router.route(text)).by == "fallback"


async def test_more_keywords_win_and_a_draw_decides_nothing(embed):
    intents = {"a": Intent(keywords=("red", "blue")), "b": Intent(keywords=("green",))}
    router = await IntentRouter.build(Intents(intents=intents), embed, encoder="static")

    routed = [(await router.route(text)).intent for text in ("red green blue", "red green")]

    assert routed == ["a", "fallback"]


async def test_an_example_itself_is_recognised_by_likeness(embed):
    router = await IntentRouter.build(by_examples(similarity=0.55), embed, encoder="static")

    routed = await router.route(SENTENCES["weather"][0])

    assert (routed.intent, routed.by) == ("weather", "similarity")


async def test_most_new_sentences_go_where_they_belong(embed):
    settings = by_examples(similarity=0.8, threshold=0.0)
    router = await IntentRouter.build(settings, embed, encoder="static")

    right = [
        (await router.route(text)).intent == name
        for name, texts in SENTENCES.items()
        for text in texts[1::2]
    ]

    assert np.mean(right) > 0.75


async def test_what_is_not_sure_enough_falls_back(embed):
    settings = by_examples(similarity=1.0, threshold=1.0)
    router = await IntentRouter.build(settings, embed, encoder="static")

    routed = [await router.route(text) for text in OUTSIDE]

    assert {each.intent for each in routed} == {"fallback"}
    assert all(0.0 < each.confidence < 1.0 for each in routed)


async def test_a_raised_threshold_only_moves_requests_to_the_fallback(embed):
    low, high = [
        await IntentRouter.build(by_examples(threshold=t), embed, encoder="static")
        for t in (0.3, 0.6)
    ]

    for text in OUTSIDE:
        bold, careful = (await low.route(text)).intent, (await high.route(text)).intent
        assert careful in (bold, "fallback")


async def test_a_trained_classifier_is_read_from_its_file(embed, encoder, tmp_path):
    path = tmp_path / "traces.npz"
    texts = SENTENCES["weather"] + SENTENCES["account"]
    labels = ["weather"] * 32 + ["account"] * 32
    Classifier.train(encoder.encode(texts), labels, encoder="static").save(path)
    settings = Intents(
        intents={"weather": Intent(keywords=("hail",)), "account": Intent(keywords=("seat",))},
        classifier=str(path),
    )
    router = await IntentRouter.build(settings, embed, encoder="static")

    routed = await router.route("Will it be sunny or will it rain on Sunday?")

    assert (routed.intent, routed.by) == ("weather", "classifier")


async def test_an_intent_that_was_dropped_since_the_training_falls_back(embed, encoder, tmp_path):
    path = tmp_path / "traces.npz"
    texts = SENTENCES["weather"] + SENTENCES["account"]
    labels = ["weather"] * 32 + ["account"] * 32
    Classifier.train(encoder.encode(texts), labels, encoder="static").save(path)
    settings = Intents(intents={"account": Intent(keywords=("seat",))}, classifier=str(path))
    router = await IntentRouter.build(settings, embed, encoder="static")

    assert (await router.route("Will it be sunny or rain on Sunday?")).intent == "fallback"


def test_what_was_saved_gives_the_same_probabilities(encoder, tmp_path):
    vectors = encoder.encode(["rain", "sun", "bill", "card"])
    trained = Classifier.train(vectors, ["w", "w", "a", "a"], encoder="static")
    trained.save(tmp_path / "c.npz")

    loaded = Classifier.load(tmp_path / "c.npz", encoder="static")

    assert loaded.labels == ("a", "w")
    np.testing.assert_array_equal(loaded.probabilities(vectors), trained.probabilities(vectors))
    np.testing.assert_allclose(trained.probabilities(vectors).sum(axis=1), 1.0)


def test_another_encoders_classifier_is_refused(encoder, tmp_path):
    vectors = encoder.encode(["rain", "bill"])
    Classifier.train(vectors, ["w", "a"], encoder="static").save(tmp_path / "c.npz")

    with pytest.raises(ConfigError, match="'full' is in use; train it again"):
        Classifier.load(tmp_path / "c.npz", encoder="full")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04torn", None])
def test_a_file_that_holds_no_classifier_is_refused(tmp_path, content):
    path = tmp_path / "c.npz"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match="no classifier"):
        Classifier.load(path, encoder="static")


def test_one_label_is_nothing_to_learn(encoder):
    with pytest.raises(UnmeasuredError, match="two different ones"):
        Classifier.train(encoder.encode(["a", "b"]), ["x", "x"], encoder="static")


@pytest.mark.parametrize(
    ("intents", "why"),
    [
        ({"a": {}}, "neither keywords nor examples"),
        ({"fallback": {"keywords": ["x"]}}, "rename it"),
        ({"a": {"examples": ["x"]}}, "tell nothing apart"),
    ],
)
def test_impossible_intents_are_refused(intents, why):
    with pytest.raises(ValidationError, match=why):
        Intents(intents=intents)
