"""Laws of a chart of lines: every name is drawn, and nothing is fetched."""

import xml.etree.ElementTree as ET

from search.reports.curves import Axes, Line, lines_svg

LINES = [Line("one", [0.0, 1.0], [0.1, 0.4]), Line("two", [0.0, 1.0], [0.2, 0.3])]


def test_a_chart_names_its_axes_and_its_lines():
    svg = lines_svg("c", LINES, Axes(x="days", y="chance", colour="test", y_low=0.0, y_high=1.0))

    texts = {text.strip() for text in ET.fromstring(svg).itertext() if text.strip()}

    assert {"days", "chance", "test", "one", "two", "100%"} <= texts


def test_without_bounds_the_lines_set_the_scale():
    svg = lines_svg("c", LINES, Axes(x="days", y="chance", colour="test"))

    assert "100%" not in "".join(ET.fromstring(svg).itertext())


def test_the_ids_of_a_chart_are_its_own():
    svg = lines_svg("quality", LINES, Axes(x="days", y="chance", colour="test"))

    ids = [own for node in ET.fromstring(svg).iter() if (own := node.get("id"))]
    assert all(own.startswith("quality-") for own in ids)
