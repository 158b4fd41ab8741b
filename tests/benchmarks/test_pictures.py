from __future__ import annotations

from xml.etree import ElementTree

from benchmarks.musts import judge
from benchmarks.plot import render_svg
from benchmarks.summary import OURS, Results, Sample
from benchmarks.table import columns, render_musts, render_results

SVG = "{http://www.w3.org/2000/svg}"


def results() -> Results:
    made = Results(problems=["asyncssh is left out: it is not installed"])
    for number, (ours, theirs) in enumerate([(1.0, 2.0), (1.5, 2.0), (3.0, 4.0)]):
        made.add("a <case>", "throughput", "GiB/s", "higher", OURS, Sample(number, ours, 0.25, 0.99))
        made.add("a <case>", "throughput", "GiB/s", "higher", "Envoy", Sample(number, theirs, 0.1, 0.5))
    return made


def test_the_table_has_median_least_most_and_the_ratio_to_each_peer() -> None:
    lines = render_results(results()).splitlines()
    ours = next(line for line in lines if line.startswith(f"  {OURS}"))
    envoy = next(line for line in lines if line.startswith("  Envoy"))
    assert ours.split() == [OURS, "1.50", "1.00", "3.00", "0.99"]
    assert envoy.split() == ["Envoy", "2.00", "2.00", "4.00", "0.75", "0.50", "*"]


def test_the_table_names_problems_and_foreign_load() -> None:
    text = render_results(results())
    assert "! asyncssh is left out" in text
    assert "median 0.17, most 0.25" in text


def test_the_table_of_musts_has_a_line_for_each_row() -> None:
    verdicts = judge(results())
    lines = render_musts(verdicts).splitlines()
    assert len(lines) == len(verdicts) + 1
    assert all("not measured" in line for line in lines[1:])


def test_columns_line_up_and_headings_do_not_widen_them() -> None:
    text = columns([["", "ab"], ["a heading that is long"], ["x", "1"], ["yy", "22"]])
    assert text.splitlines() == ["    ab", "a heading that is long", "x    1", "yy  22"]


def test_the_plot_is_xml_with_a_bar_for_each_peer_as_long_as_its_median() -> None:
    root = ElementTree.fromstring(render_svg(results()))
    bars = [bar for bar in root.iter(f"{SVG}rect") if "bar" in bar.get("class", "")]
    assert [bar.get("class") for bar in bars] == ["bar ours", "bar"]
    ours, envoy = (float(bar.get("width", "0")) for bar in bars)
    assert abs(ours / envoy - 1.5 / 2.0) < 0.01
    assert "a <case>: throughput, GiB/s" in {text.text for text in root.iter(f"{SVG}text")}


def test_a_plot_of_nothing_is_still_a_picture() -> None:
    assert ElementTree.fromstring(render_svg(Results())).tag == f"{SVG}svg"
