import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.caching import ToolTtl
from engine.workflow.caching.memory import MemoryStore
from engine.workflow.caching.tools import ToolCache, tool_key, ttl_s

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("tool", "expected_s"),
    [
        ("search", 1_800.0),
        ("web_search", 1_800.0),
        ("database-query", 60.0),
        ("Weather", 600.0),
        ("calculator", 300.0),
        ("research", 300.0),
    ],
)
def test_each_kind_of_tool_has_its_time(tool, expected_s):
    assert ttl_s(tool, ToolTtl()) == expected_s


async def test_a_result_is_remembered_for_its_variant_only():
    store = MemoryStore()
    mine, theirs = ToolCache(store, "v1"), ToolCache(store, "v2")

    await mine.put("k", "half a pair: \ud800", 60.0)

    assert await mine.get("k") == "half a pair: \ud800"
    assert await theirs.get("k") is None
    assert (mine.counts().hits, theirs.counts().misses) == (1, 1)


async def test_dropping_forgets_a_variants_results():
    cache = ToolCache(MemoryStore(), "v1")
    await cache.put("k", "v", 60.0)

    await cache.drop()

    assert await cache.get("k") is None


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_the_order_of_arguments_does_not_matter(arguments):
    turned = dict(reversed(list(arguments.items())))

    assert tool_key("t", arguments) == tool_key("t", turned)


def test_different_arguments_are_different_calls():
    values = [None, True, 1, 1.5, "1", "true", [], {}, [1], ["1"], {"x": None}, "[]", -1]

    assert len({tool_key("t", {"x": value}) for value in values}) == len(values)


def test_a_tool_is_not_another_tool():
    assert tool_key("a", {}) != tool_key("b", {})
