"""A plugin that raises is shown by its own lines in `try`, `test` and `check`; `--debug` shows everything."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import tillpost_receipts
from tests.support.outside_plugin import Strange, line_of
from tillpost.cli import cli
from tillpost.cli.debug import debugging, to_front
from tillpost.errors import ConfigurationError

SECRET = "anna@example.se"
PARSER = """
from tillpost.kit import adapter

def parse(document, settings, make_id):
    yield NoReceipt(reason="a report", place="line 1", retail=False)
    with document.open() as lines:
        for line in lines:
            yield inner(line)

def inner(line):
    {fault}

def recognise(document, settings):
    {recognise}

plugin = adapter(parse, Nothing, "One", recognise=recognise)
"""


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Strange:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "day.txt").write_text(SECRET + "\n")
    return Strange(tmp_path, monkeypatch)


def tried(name: str, *words: str) -> Result:
    return CliRunner().invoke(cli, ["adapter", "try", name, "day.txt", *words])


FAULTS: dict[str, tuple[str, str, str]] = {
    "m4_key": ("return {}[line]", "KeyError", "KeyError"),
    "m4_value": ("return int(line)", "ValueError", "ValueError"),
    "m4_raised": ("raise TypeError(line)", "TypeError", "TypeError"),
    "m4_exit": ("raise SystemExit(line)", "SystemExit", "SystemExit"),
    "m3_field": (
        'return NoReceipt(reson="x", place="")',
        "TypeError",
        "TypeError: NoReceipt.__init__() got an unexpected keyword argument 'reson'",
    ),
    "m4_attribute": ("return line.total", "AttributeError", "AttributeError: 'bytes' object has no attribute 'total'"),
    "m4_name": ("return totl", "NameError", "NameError: name 'totl' is not defined"),
    "m4_import": ("import nobody_has_this", "ModuleNotFoundError", "No module named 'nobody_has_this'"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_m2_m6_try_shows_the_plugins_lines_from_its_first_one(strange: Strange, name: str) -> None:
    """With the text only where Python itself wrote it, about code."""
    fault, kind, last = FAULTS[name]
    module = strange.install(f"strange_{name}", PARSER.format(fault=fault, recognise='return ""'))
    result = tried(f"strange_{name}")
    assert result.exit_code == 1, result.output
    lines = result.stdout.splitlines()
    at = line_of(module, f"    {fault}")
    raised = f"plugin 'strange_{name}': parse_receipts raised {kind} at {module}:{at} (record 2)"
    if name == "m3_field":
        raised += ": NoReceipt: no field 'reson'; did you mean 'reason'?"
    start = lines.index(f"  Not read to the end: {raised}")
    assert lines[start + 1 : start + 3] == [
        f"    {module}:{line_of(module, 'yield inner')} in parse: yield inner(line)",
        f"    {module}:{at} in inner: {fault}",
    ]
    assert last in lines[start + 3]
    assert SECRET not in result.output


WRONG: dict[str, tuple[str, str, str]] = {
    "m2_float": ("        paid=1.5,", "line 1: line A: paid is a float; money is Decimal: parse_decimal", "1 broken"),
    "m2_text": (
        '        paid="1,50",',
        "line A: paid is a str; money is Decimal: parse_decimal of tillpost.kit",
        "1 broken",
    ),
    "m3_field": ("        payed=Decimal(1),", "Line: no field 'payed'; did you mean 'paid'?", "1 broken"),
    "m10_kind": ("        kind=3,", "line A: kind is an int; it must be one of purchase", "1 broken"),
    "m13_extra": ("        extra={'a': 1},", "line A: extra['a'] is an int; values are text", "1 broken"),
}
BUILDER = """
from tillpost.kit import adapter, read_record

def parse(document, settings, make_id):
    yield read_record(read, document, "line 1", {raw})

def read(source):
    return Line(
        sku="A",
{field}
    )

plugin = adapter(parse, Nothing, "One")
"""


@pytest.mark.parametrize("name", WRONG)
def test_m2_m3_m10_m13_a_wrong_field_breaks_the_record_with_the_plugins_line(strange: Strange, name: str) -> None:
    """In each command that shows the reason, and without a value of the record."""
    field, said, counted = WRONG[name]
    fields = {"kind": "        kind='purchase',", "quantity": "        quantity=1,", "paid": "        paid=Decimal(1),"}
    fields.pop(field.strip().partition("=")[0].replace("payed", "paid"), None)
    module = strange.install(
        f"strange_wrong_{name}", BUILDER.format(raw="b''", field="\n".join([field, *fields.values()]))
    )
    place = f"({module}:{line_of(module, 'return Line(')})"
    told = tried(f"strange_wrong_{name}").stdout
    assert counted in told
    assert said in told
    assert place in told
    file = strange.configure(adapter=f'{{ use = "strange_wrong_{name}" }}')
    for words in (["accept", "day.txt"], ["held", "list"]):
        shown = CliRunner().invoke(cli, ["--config", str(file), *words]).output
        assert said in shown
        assert place in shown
    assert said in (suite := promises(strange, f"strange_wrong_{name}").stdout)
    assert place in suite


def test_m8_a_raw_record_of_text_is_named_at_the_plugin_and_its_line(strange: Strange) -> None:
    module = strange.install("strange_raw", BUILDER.format(raw="'text'", field=""))
    told, at = tried("strange_raw").stdout, f"{module}:{line_of(module, 'yield read_record')}"
    assert f"plugin 'strange_raw': parse_receipts made a wrong value at {at} (record 1): Broken: raw is a str" in told
    assert f"    {at} in parse: yield read_record(" in told
    assert "record.py" not in told, "the lines end with the plugin's own"


@pytest.mark.parametrize("before", [True, False])
def test_debug_shows_the_text_and_the_lines_of_the_core_too(strange: Strange, before: bool) -> None:
    own = f"strange_debug_{before}"
    strange.install(own, PARSER.format(fault="return {}[line]", recognise='return ""'))
    words = ["--debug", "adapter", "try", own, "day.txt"] if before else ["adapter", "try", own, "day.txt", "--debug"]
    result = CliRunner().invoke(cli, words)
    assert f"KeyError: b'{SECRET}" in result.stdout
    assert "hook_calls.py:" in result.stdout
    assert debugging()
    tried(own)
    assert not debugging(), "it holds for one command"


def test_m4_a_deep_recursion_is_shown_by_its_ends(strange: Strange) -> None:
    strange.install("strange_deep_end", PARSER.format(fault="return inner(line)", recognise='return ""'))
    result = tried("strange_deep_end")
    assert "raised RecursionError" in result.stdout
    assert "more lines)" in result.stdout
    assert len(result.stdout.splitlines()) < 40


def test_m4_a_cause_is_shown_before_what_it_led_to(strange: Strange) -> None:
    fault = "try:\n        {}[line]\n    except KeyError as error:\n        raise ValueError(line) from error"
    strange.install("strange_cause", PARSER.format(fault=fault, recognise='return ""'))
    lines = [line.strip() for line in tried("strange_cause").stdout.splitlines()]
    assert lines.index("KeyError") < lines.index("which led to:") < lines.index("ValueError")


@pytest.mark.parametrize(
    ("recognise", "said"),
    [
        ("return document.nothing", "recognise raised AttributeError at "),
        ("raise SystemExit(1)", "recognise raised SystemExit at "),
        ("return 7", "recognise gave int, and not a phrase of text"),
    ],
)
def test_m4_a_recognise_that_fails_keeps_no_document_from_being_read(
    strange: Strange, recognise: str, said: str
) -> None:
    own = f"strange_recognise_{len(recognise)}"
    strange.install(
        own, PARSER.format(fault='return NoReceipt(reason="x", place="", retail=False)', recognise=recognise)
    )
    result = tried(own)
    assert "day.txt: 0 receipts, 0 skipped, 2 ignored, 0 broken" in result.stdout
    assert f"day.txt: {said}" in result.stdout.partition("A person should look at")[2]
    assert result.exit_code == 1


@pytest.mark.parametrize(
    "fault", ['raise OSError(5, "no disk", "x")', 'raise __import__("tillpost").InvalidValue("no")']
)
def test_m4_what_is_no_plugin_error_is_told_too(strange: Strange, fault: str) -> None:
    own = f"strange_told_{len(fault)}"
    strange.install(own, PARSER.format(fault=fault, recognise='return ""'))
    result = tried(own)
    assert "Not read to the end: " in result.stdout
    assert "1 ignored" in result.stdout
    assert result.exit_code == 1


SUITE = """
from pathlib import Path
from tillpost.testing import AdapterSuite

class TestOwn(AdapterSuite):
    plugin = "{own}"
    settings = {{}}
    samples = Path(__file__).parent / "samples"
    {more}
"""


def promises(strange: Strange, own: str, more: str = "", *words: str) -> Result:
    (strange.folder / "samples").mkdir()
    (strange.folder / "samples" / "sale.txt").write_text(SECRET)
    (strange.folder / "promises.py").write_text(SUITE.format(own=own, more=more))
    return CliRunner().invoke(cli, ["plugin", "test", "promises.py", *words])


def test_m4_test_shows_the_plugins_lines_under_the_promise_and_the_report_does_not(strange: Strange) -> None:
    module = strange.install("strange_suite", PARSER.format(fault="return {}[line]", recognise='return ""'))
    result = promises(strange, "strange_suite", "", "--report", "report.md")
    assert f"{module}:{line_of(module, 'return {}')} in inner: return {{}}[line]" in result.stdout
    assert SECRET not in result.stdout
    report = (strange.folder / "report.md").read_text()
    assert "parse_receipts raised KeyError" in report
    assert "in inner" not in report


def test_m4_test_shows_the_lines_of_a_suite_that_raises(strange: Strange) -> None:
    strange.install("strange_suite_raises", PARSER.format(fault="return {}[line]", recognise='return ""'))
    more = "def settings_for(self, promise): return {}[promise]"
    result = promises(strange, "strange_suite_raises", more)
    assert "in settings_for: def settings_for(self, promise): return {}[promise]" in result.stdout


def test_m4_test_with_debug_shows_the_text(strange: Strange) -> None:
    strange.install("strange_suite_debug", PARSER.format(fault="return {}[line]", recognise='return ""'))
    assert f"KeyError: b'{SECRET}'" in promises(strange, "strange_suite_debug", "", "--debug").stdout


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = {}\nx['a']\nplugin = None\n", "cannot be imported from strange_load: KeyError at "),
        (
            'plugin = simple("One", "adaptor", Nothing, lambda settings, context: 1)\n',
            "no slot 'adaptor'; did you mean",
        ),
        ('plugin = simple("One", "map", int, lambda settings, context: 1)\n', "not the class int"),
        ("def plugin(): pass\n", "not a tillpost.Plugin"),
    ],
)
def test_m7_test_tells_of_a_plugin_that_cannot_be_loaded_what_check_tells(
    strange: Strange, code: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "strange_load", raising=False)
    module = strange.install("strange_load", code)
    result = CliRunner().invoke(cli, ["plugin", "test", "strange_load"])
    assert isinstance(result.exception, ConfigurationError)  # exit code 78 with its lines, as of every command
    [finding] = result.exception.findings
    assert said in finding.message
    assert finding.next_step
    if "tillpost.Plugin" not in said:
        assert f"{module}:" in str(result.exception)


def test_m4_a_suite_that_cannot_be_imported_is_told_with_its_line(strange: Strange) -> None:
    (strange.folder / "promises.py").write_text("x = {}\nx['a']\n")
    result = CliRunner().invoke(cli, ["plugin", "test", "promises.py"])
    assert "promises.py:2 in <module>: x['a']" in str(result.exception)


def test_check_has_the_lines_in_json_too(strange: Strange) -> None:
    strange.install(
        "strange_json", "def make(settings, context): 1 / 0\nplugin = simple('One', 'map', Nothing, make)\n"
    )
    file = strange.configure(map='{ use = "strange_json" }')
    result = CliRunner().invoke(cli, ["--config", str(file), "check", "--offline", "--json"])
    [finding] = map(json.loads, result.stdout.splitlines())
    assert finding["trace"][-1] == "ZeroDivisionError"
    assert "in make: def make(settings, context): 1 / 0" in finding["trace"][0]


MAIN = """
import sys
from tillpost.cli import cli, main
import tillpost.cli.plugins as listed

def raises(**_):
    raise {error}

listed.command.callback = raises
main()
"""


def run_main(tmp_path: Path, error: str, *words: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "main.py").write_text(MAIN.format(error=error))
    return subprocess.run(
        [sys.executable, "main.py", *words, "plugins"], cwd=tmp_path, capture_output=True, text=True, check=False
    )


def test_an_error_of_the_program_is_one_line_without_its_text(tmp_path: Path) -> None:
    done = run_main(tmp_path, f"KeyError({SECRET!r})")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"tillpost: it ended with KeyError at {tmp_path / 'main.py'}:7, which is a fault of the program; `tillpost"
        " --debug` shows the lines that led to it, to be reported"
    ]


@pytest.mark.parametrize(
    "error", [f"KeyError({SECRET!r})", f"__import__('tillpost').UsageError({SECRET!r})"], ids=["foreign", "ours"]
)
def test_debug_shows_the_traceback_of_any_error(tmp_path: Path, error: str) -> None:
    done = run_main(tmp_path, error, "--debug")
    assert f"main.py:7 in raises: raise {error}" in done.stderr
    assert done.stderr.rstrip().endswith(f": {SECRET!r}" if error.startswith("Key") else f"UsageError: {SECRET}")


@pytest.mark.parametrize(
    ("words", "ordered"),
    [
        (["check"], ["check"]),
        (["check", "--debug"], ["--debug", "check"]),
        (["adapter", "try", "x", "--debug", "f"], ["--debug", "adapter", "try", "x", "f"]),
        (["accept", "--", "--debug"], ["accept", "--", "--debug"]),
    ],
)
def test_debug_may_stand_anywhere_before_the_arguments_end(words: list[str], ordered: list[str]) -> None:
    assert to_front(words) == ordered


TRANSPORT = """
class Own:
    @hookimpl
    def deliver(self, payload): return NotSent(reason="not today")

    @hookimpl
    def probe(self): {probe}

    @hookimpl
    def identity(self): {identity}

plugin = simple("One", "transport", Nothing, lambda settings, context: Own())
"""


@pytest.mark.parametrize("hook", ["probe", "identity"])
def test_m4_check_shows_the_lines_of_a_plugin_that_raises_while_it_is_tried(strange: Strange, hook: str) -> None:
    bodies = {"probe": "return Delivered()", "identity": "return None", hook: "return {}['" + SECRET[:4] + "']"}
    module = strange.install(f"strange_{hook}", TRANSPORT.format(**bodies))
    file = strange.configure(transport=f'{{ use = "strange_{hook}" }}')
    result = CliRunner().invoke(cli, ["--config", str(file), "check", "--json"])
    found = [json.loads(line) for line in result.stdout.splitlines()]
    [own] = [each for each in found if f"{hook} raised KeyError" in each["message"]]
    assert own["key"] == "pipelines.shop.transport"
    assert own["trace"][0].startswith(f"{module}:{line_of(module, f'def {hook}')} in {hook}: ")
    assert own["trace"][-1] == "KeyError"
    assert result.exit_code == 1


MAPPER = """
class Own:
    @hookimpl
    def map_receipt(self, receipt, match):
        return Payload(receipt_id=receipt.id, match=match, fields={fields})

plugin = simple("One", "map", Nothing, lambda settings, context: Own())
"""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ('{"total": float(receipt.total)}', "gave a body that cannot be sent: total is a float"),
        ('{"extraData": {"when": receipt.created}}', "cannot be sent: extraData.when is a datetime"),
        ('{"items": [{"sku": {1}}]}', "cannot be sent: items[0].sku is a set"),
        ("receipt.nothing", "map_receipt raised AttributeError at "),
    ],
)
def test_m13_try_says_that_the_plugin_which_maps_gave_what_cannot_be_sent(
    strange: Strange, fields: str, said: str
) -> None:
    own = f"strange_map_{len(fields)}"
    strange.install(own, MAPPER.format(fields=fields))
    sample = Path(tillpost_receipts.__file__).parent / "samples" / "return.jsonl"
    result = CliRunner().invoke(cli, ["adapter", "try", "receipts", str(sample), "--map", own])
    assert f"cannot be mapped: plugin '{own}': " in result.stdout
    assert said in result.stdout
    assert result.exit_code == 1


UNSEEN = """
import threading, warnings
from tillpost.cli.debug import keep_texts_out

class Dies:
    def __del__(self):
        raise KeyError("{secret}")

def fails():
    raise ValueError("{secret}")

keep_texts_out()
warnings.warn("{secret}")
Dies()
thread = threading.Thread(target=fails, name="{secret}")
thread.start()
thread.join()
"""


def test_what_a_generator_s_own_line_raised_is_placed_there_though_python_replaces_it(strange: Strange) -> None:
    """`next` without a value for the end, in a generator: Python makes a RuntimeError of it, without that line."""
    code = """
from tillpost.kit import adapter

def parse(document, settings, make_id):
    yield next(iter(()))

plugin = adapter(parse, Nothing, "One")
"""
    module = strange.install("ends", code)
    told = tried("ends").output
    assert f"raised RuntimeError at {module}:{line_of(module, 'yield next')}" in told


def test_what_nobody_can_catch_is_told_without_its_text(tmp_path: Path) -> None:
    """A thread, a finalizer and a warning of a plugin: Python alone would print their texts."""
    file = tmp_path / "unseen.py"
    file.write_text(UNSEEN.replace("{secret}", SECRET))
    told = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True).stderr
    assert told.splitlines() == [
        f"UserWarning at {file}:{line_of(file, 'warnings.warn')}",
        f"an error that nobody could catch: KeyError at {file}:{line_of(file, 'raise KeyError')}",
        f"a thread ended with ValueError at {file}:{line_of(file, 'raise ValueError')}",
    ]


def test_what_the_system_says_of_a_file_is_told_and_is_no_fault_of_the_program(
    strange: Strange, tmp_path: Path
) -> None:
    out = tmp_path / "missing" / "sample.jsonl"
    sample = Path(tillpost_receipts.__file__).parent / "samples" / "sale.jsonl"
    words = ("adapter", "sample", "receipts", sample, "--pseudonyms", "--out", out)
    told = subprocess.run([sys.executable, "-m", "tillpost", *words], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stderr == f"tillpost: {out}: no such file or directory\n"


def test_a_port_that_is_taken_is_named_with_the_next_step(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ("sandbox", "--http", str(port), "--sftp", "0", "--api-key", "a", "--dir", tmp_path / "sandbox")
        told = subprocess.run([sys.executable, "-m", "tillpost", *words], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert told.stderr == (
        f"tillpost: port {port} of 127.0.0.1: address already in use; end the program that listens there, or name"
        " another port, 0 for a free one\n"
    )
