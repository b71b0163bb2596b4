"""Laws of the table of parameters: typed by the space, and every variant has its row."""

import pytest

from engine.config.space import Space
from engine.errors import ConfigError
from search.replay.parameters import read_params
from tests.search.replay.tables import table

SPACE = Space.model_validate(
    {
        "parameters": {
            "llm.temperature": {"type": "float", "low": 0.0, "high": 1.0},
            "rag.top_k": {"type": "int", "low": 1, "high": 12},
            "rag.rerank.enabled": {"type": "bool"},
            "llm.max_tokens": {"type": "choice", "choices": [64, 128]},
        },
        "exclusive": [["nodes.a.default", "nodes.b.default"]],
    }
)


def read(folder, text, space=None):
    path = folder / "variants.csv"
    path.write_text(text, encoding="utf-8")
    return read_params(path, table(0.5, 0.6, units=4), space)


def refused(folder, text, space=None):
    with pytest.raises(ConfigError) as caught:
        read(folder, text, space)
    return str(caught.value).removeprefix(f"{folder / 'variants.csv'}: ")


def test_a_cell_is_read_as_its_parameter_is_typed(tmp_path):
    head = "variant,llm.temperature,rag.top_k,rag.rerank.enabled,llm.max_tokens,nodes.a.default"

    params = read(tmp_path, f"{head}\nv1,0,3.0,true,128,false\nv0,0.5,1,False,64.0,TRUE\n", SPACE)

    assert list(params) == ["v0", "v1"]
    assert params["v0"] == {
        "llm.temperature": 0.5,
        "rag.top_k": 1,
        "rag.rerank.enabled": False,
        "llm.max_tokens": 64,
        "nodes.a.default": True,
    }
    assert isinstance(params["v1"]["llm.temperature"], float)
    assert isinstance(params["v1"]["rag.top_k"], int)


def test_an_empty_cell_is_a_parameter_that_the_variant_does_not_have(tmp_path):
    params = read(tmp_path, "variant,rag.top_k,llm.temperature\nv0,,0.1\nv1,2,0.1\n", SPACE)

    assert params["v0"] == {"llm.temperature": 0.1}


def test_without_a_space_a_cell_is_what_it_looks_like(tmp_path):
    params = read(tmp_path, "variant,a,b,c,d,e\nv0,1,1.0,true,plain,nan\nv1,-2,2e3,false,x,inf\n")

    assert params["v0"] == {"a": 1, "b": 1.0, "c": True, "d": "plain", "e": "nan"}
    assert isinstance(params["v0"]["a"], int)
    assert isinstance(params["v0"]["b"], float)
    assert params["v1"] == {"a": -2, "b": 2_000.0, "c": False, "d": "x", "e": "inf"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("variant\nv0\nv1\n", "no column beside `variant`; add one for each parameter"),
        ("name,rag.top_k\nv0,1\n", "no column `variant`; known: `name`, `rag.top_k`"),
        (
            "variant,rag.topk\nv0,1\nv1,1\n",
            "column `rag.topk` is no parameter of the experiment's space; did you mean "
            "`rag.top_k`?",
        ),
        (
            "variant,rag.top_k\nv0,1\nv9,1\n",
            "row 2, column `variant`: got 'v9', of which there is no outcome; known: `v0`, `v1`",
        ),
        ("variant,rag.top_k\nv0,1\nv0,2\n", "row 2, column `variant`: got 'v0' twice; delete one"),
        ("variant,rag.top_k\n,1\n", "row 1, column `variant`: got nothing; write a name"),
        (
            "variant,rag.top_k\nv0,1\n",
            "no row for `v1`, which the outcomes hold; add what they are set to",
        ),
        *(
            (
                f"variant,{name}\nv0,{cell}\nv1,{cell}\n",
                f"row 1, column `{name}`: got '{cell}', which the experiment's space does not hold",
            )
            for name, cell in [
                ("rag.top_k", "13"),
                ("rag.top_k", "2.5"),
                ("rag.top_k", "many"),
                ("llm.temperature", "1.5"),
                ("llm.temperature", "warm"),
                ("llm.max_tokens", "100"),
                ("rag.rerank.enabled", "yes"),
                ("nodes.b.default", "1"),
            ]
        ),
    ],
)
def test_parameters_that_can_not_be_meant_are_refused_with_their_place(tmp_path, text, said):
    assert refused(tmp_path, text, SPACE) == said
