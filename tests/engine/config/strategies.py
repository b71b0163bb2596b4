"""Workflows of every kind that an operator could have."""

from hypothesis import strategies as st

from engine.config.workflow import Workflow

names = st.text(min_size=1, max_size=12)
shares = st.floats(0.0, 1.0)


@st.composite
def workflows(draw):
    prompts = draw(st.dictionaries(names, st.text(max_size=60), min_size=1, max_size=4))
    tool_is_default = draw(st.booleans())
    return Workflow.model_validate(
        {
            "workflow": draw(st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)),
            "timeout_s": draw(st.floats(1e-6, 1e9)),
            "prompts": prompts,
            "llm": {
                "name": draw(st.text(max_size=20)),
                "temperature": draw(st.floats(0.0, 2.0)),
                "max_tokens": draw(st.integers(1, 32_768)),
                "prompt": draw(st.sampled_from(sorted(prompts))),
            },
            "rag": {"top_k": draw(st.integers(1, 50)), "rerank": {"enabled": draw(st.booleans())}},
            "router": {"tool_keywords": draw(st.lists(st.text(max_size=8), max_size=3))},
            "nodes": {
                "qa_agent": {"default": not tool_is_default},
                "qa_with_tool_agent": {"default": tool_is_default},
            },
        }
    )
