"""What a changed file asks of what runs: every pipeline stands in one place, and what is refused stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tillpost.compose.change import Change, compare
from tillpost.compose.config import examine
from tillpost.compose.pipeline_config import PipelineConfig

PIPELINE = """
[pipelines.{name}]
{state}
workers   = {workers}
adapter   = {{ use = "{adapter}" }}
resolve   = [ {{ use = "known" }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "http://127.0.0.1:9", api_key = {{ file = "key" }} }}
"""


def pipeline(name: str, workers: int = 4, adapter: str = "receipts", state: str = "") -> str:
    return PIPELINE.format(name=name, workers=workers, adapter=adapter, state=state and f'state = "{state}"')


def written(folder: Path, *pipelines: str) -> Path:
    (folder / "key").touch()
    if not (folder / "key").read_text():
        (folder / "key").write_text("one")
    file = folder / "tillpost.toml"
    file.write_text("".join(pipelines))
    return file


def running(folder: Path, *pipelines: str) -> dict[str, PipelineConfig]:
    config, _ = examine(written(folder, *pipelines))
    return {each.name: each for each in config.pipelines} if config else {}


def asked(
    folder: Path, before: dict[str, PipelineConfig], *pipelines: str, names: Sequence[str] = ()
) -> tuple[Change, dict[str, list[str]]]:
    found = compare(before, *examine(written(folder, *pipelines)), names)
    changed, added = [each.name for each in found.changed], [each.name for each in found.added]
    places = {
        "unchanged": list(found.unchanged), "changed": changed, "added": added, "removed": list(found.removed),
    }  # fmt: skip
    return found, {place: there for place, there in places.items() if there}


def test_each_pipeline_has_its_place(tmp_path: Path) -> None:
    before = running(tmp_path, pipeline("a"), pipeline("b"), pipeline("c"))
    found, places = asked(tmp_path, before, "# a comment\n", pipeline("a"), pipeline("b", workers=5), pipeline("d"))
    assert places == {"unchanged": ["a"], "changed": ["b"], "added": ["d"], "removed": ["c"]}
    assert found.refused == ()


def test_a_secret_that_changed_in_its_file_is_a_change(tmp_path: Path) -> None:
    before = running(tmp_path, pipeline("a"))
    assert asked(tmp_path, before, pipeline("a"))[1] == {"unchanged": ["a"]}
    (tmp_path / "key").write_text("two")
    assert asked(tmp_path, before, pipeline("a"))[1] == {"changed": ["a"]}


def test_a_pipeline_with_an_error_goes_on_and_the_others_change(tmp_path: Path) -> None:
    before = running(tmp_path, pipeline("a"), pipeline("b"))
    found, places = asked(tmp_path, before, pipeline("a", adapter="gone"), pipeline("b", workers=5), pipeline("c", 400))
    assert places == {"unchanged": ["a"], "changed": ["b"]}
    assert [(name, finding.key) for name, finding in found.refused] == [
        ("a", "pipelines.a.adapter.use"),
        ("c", "pipelines.c.workers"),
    ]


@pytest.mark.parametrize("text", ["[tillpost", "[tillpos]\nstate = 'x'", "", "[pipelines.a]\nadapter = 1"])
def test_a_file_that_is_wrong_as_a_whole_changes_nothing(tmp_path: Path, text: str) -> None:
    before = running(tmp_path, pipeline("a"), pipeline("b"))
    found, places = asked(tmp_path, before, text)
    assert places == {"unchanged": ["a", "b"]}
    assert found.refused
    assert all(finding.file for _, finding in found.refused)


def test_a_journal_is_not_moved(tmp_path: Path) -> None:
    before = running(tmp_path, pipeline("a", state="one"), pipeline("b"))
    found, places = asked(tmp_path, before, pipeline("a", state="two"), pipeline("b"))
    assert places == {"unchanged": ["b", "a"]} or places == {"unchanged": ["a", "b"]}
    ((name, finding),) = found.refused
    assert (name, finding.key) == ("a", "pipelines.a.state")
    assert finding.line
    assert "a reload does not move a journal" in str(finding)


def test_a_run_of_some_pipelines_keeps_to_them(tmp_path: Path) -> None:
    before = running(tmp_path, pipeline("a"))
    found, places = asked(tmp_path, before, pipeline("a", 5), pipeline("b"), pipeline("c", 400), names=["a"])
    assert (places, found.refused) == ({"changed": ["a"]}, ())
    found, places = asked(tmp_path, before, pipeline("b"), names=["a"])
    assert places == {"unchanged": ["a"]}, "a run with nothing to carry would be no run"
    assert "none of the running pipelines" in str(found.refused[0][1])


ONE = st.tuples(st.sampled_from([4, 5, 400]), st.sampled_from(["receipts", "gone"]), st.sampled_from(["", "moved"]))


@given(
    before=st.dictionaries(st.sampled_from("abcd"), st.just((4, "receipts", "")), min_size=1),
    after=st.dictionaries(st.sampled_from("abcd"), ONE),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_whatever_changes_each_that_runs_stands_in_exactly_one_place(
    tmp_path: Path, before: dict[str, tuple[int, str, str]], after: dict[str, tuple[int, str, str]]
) -> None:
    runs = running(tmp_path, *(pipeline(name, *how) for name, how in before.items()))
    found, places = asked(
        tmp_path, runs, *(pipeline(name, how[0], how[1], how[2] and how[2] + name) for name, how in after.items())
    )
    stand = [name for place in ("unchanged", "changed", "removed") for name in places.get(place, [])]
    assert sorted(stand) == sorted(runs)
    assert set(places.get("added", [])).isdisjoint(runs)
    sound = {name for name, (workers, adapter, _) in after.items() if workers < 400 and adapter != "gone"}
    assert {each.name for each in (*found.changed, *found.added)} <= sound
    assert set(places.get("removed", [])) <= runs.keys() - after.keys()
    for each in found.changed:
        assert each.state == runs[each.name].state
