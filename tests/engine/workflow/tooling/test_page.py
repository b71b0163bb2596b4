import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.tooling.builtin.page import text_of

tags = st.sampled_from(["<", ">", "<a", "<!--", "-->", "<script>", "</script", "'", "x", "&amp;"])


def test_a_page_is_its_words_a_block_a_line():
    page = (
        "<!DOCTYPE html><title>Tea</title><script>if (a<b) {}</script><!-- <p>no</p> -->"
        "<p class='x'>one <b>two</b><br>three &amp; 2 < 3 <style>p {}</style>four</p>"
        "<SVG><text>no</text></svg><noscript>no</noscript>"
    )

    assert text_of(page) == "Tea\none two\nthree & 2 < 3 four"


@given(st.lists(tags).map("".join))
def test_anything_gives_a_text(page):
    assert isinstance(text_of(page), str)


@pytest.mark.parametrize(
    "bad",
    ["<a", "<!", "<!--x", "<a href='", "</", "<script>", "</script ", "<![", "<?", "<svg><", "&#"],
)
def test_a_broken_page_takes_no_longer_than_a_good_one(bad):
    began = time.process_time()

    text_of(bad * (400_000 // len(bad)))

    assert time.process_time() - began < 2.0
