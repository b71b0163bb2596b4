import pytest
from pydantic import ValidationError

from engine.config.model import Fallback, Resilience


def test_unless_it_is_written_nothing_stands_in_for_a_model():
    settings = Resilience()

    assert settings.fallback == Fallback(models=(), cached=False, preset=None)
    assert (settings.tiers.cheap, settings.tiers.strong) == (None, None)


def test_a_preset_answer_names_the_task():
    with pytest.raises(ValidationError, match="task_id"):
        Fallback(preset="we are sorry")

    assert Fallback(preset="ask for {task_id}").preset == "ask for {task_id}"
