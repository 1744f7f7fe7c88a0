"""A plugin that is written wrongly is a finding of `tillpost check`: which file and line, what is wrong, what to do."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from tests.support.outside_plugin import Strange, line_of
from tillpost.cli import cli


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Strange:
    return Strange(tmp_path, monkeypatch)


def findings(file: Path) -> list[dict[str, object]]:
    """What `check` says, as scripts read it; anything but findings fails the test."""
    result = CliRunner().invoke(cli, ["--config", str(file), "check", "--offline", "--json"])
    assert result.exit_code == 78, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return [json.loads(line) for line in result.stdout.splitlines()]


@attrs.frozen
class Case:
    """One mistake. said: parts of the message, `AT` for the place of the line with `where`; then: of the next step."""

    code: str
    said: tuple[str, ...]
    then: str
    where: str = "def "
    slot: str = "adapter"


def one(slot: str, body: str) -> str:
    """A plugin with one slot, whose class has this body."""
    return f'class Own:\n{body}\n\nplugin = simple("One", "{slot}", Nothing, lambda settings, context: Own())\n'


def hook(slot: str, line: str, mark: str = "@hookimpl") -> str:
    return one(slot, f"    {mark}\n    {line}")


HOOKS = {
    "a wrong argument": Case(
        hook("adapter", "def parse_receipts(self, doc): return []"),
        ("parse_receipts at AT has an argument 'doc' that it is not given",),
        "parse_receipts has the arguments: document.",
    ),
    "one argument too many": Case(
        hook("map", "def map_receipt(self, receipt, match, settings): return None"),
        ("map_receipt at AT has an argument 'settings' that it is not given",),
        "map_receipt has the arguments: receipt, match.",
        slot="map",
    ),
    "an argument where there is none": Case(
        hook("transport", "def probe(self, payload): pass\n    @hookimpl\n    def deliver(self, payload): pass"),
        ("probe at AT has an argument 'payload'",),
        "probe has no arguments.",
        slot="transport",
    ),
    "no self": Case(
        hook("adapter", "def parse_receipts(document): return []"),
        ("parse_receipts at AT lacks `self`",),
        "parse_receipts has the arguments: document, after self.",
    ),
    "an argument with a default": Case(
        hook("source", "def collect_documents(self, accept, stopping=None): return 0"),
        ("collect_documents at AT: the argument 'stopping' has a default, and would never be given",),
        "plain argument",
        slot="source",
    ),
    "an argument by name only": Case(
        hook("amend", "def amend_payload(self, payload, *, receipt): return None"),
        ("amend_payload at AT: the argument 'receipt' can be given by name only",),
        "plain argument",
        slot="amend",
    ),
    "any arguments": Case(
        hook("observe", "def observe(self, **given): return None"),
        ("observe at AT has the argument **given, into which nothing is given",),
        "observe has the arguments: event.",
        slot="observe",
    ),
    "a hook of another slot": Case(
        hook(
            "adapter", "def deliver(self, payload): pass\n    @hookimpl\n    def parse_receipts(self, document): pass"
        ),
        ("deliver at AT is a hook of the slot transport, which the plugin does not have",),
        "Add the slot transport",
    ),
    "a hook there is not": Case(
        hook("resolve", "def resolve_customer(self, contact): return None"),
        ("unknown hook 'resolve_customer' at AT",),
        "The hooks of resolve are: resolve_contact, may_create_contact, update_contact, reconcile_contact.",
        slot="resolve",
    ),
    "a misspelt hook": Case(
        hook("source", "def collect_document(self, accept): return 0"),
        ("unknown hook 'collect_document' at AT",),
        "Did you mean collect_documents?",
        slot="source",
    ),
    "a hook that is not marked": Case(
        hook("adapter", "def parse_receipts(self, document): return []", mark="# nothing"),
        ("parse_receipts at AT is not marked as a hook",),
        "Put `@hookimpl` above it.",
    ),
    "an optional hook that is not marked": Case(
        one(
            "resolve",
            "    @hookimpl\n    def resolve_contact(self, contact): pass\n"
            "    def update_contact(self, contact, changes): pass",
        ),
        ("update_contact at AT is not marked as a hook",),
        "Put `@hookimpl` above it.",
        "def update_contact",
        "resolve",
    ),
    "no hook": Case(
        one("adapter", "    pass"), ("adapter needs the hook parse_receipts, which Own does",), "Write it", "class Own"
    ),
    "a name that is near": Case(
        one("adapter", "    def parse_receipt(self, document): pass"),
        ("adapter needs the hook parse_receipts",),
        "Is parse_receipt meant for it?",
    ),
    "a coroutine": Case(
        hook("transport", "async def deliver(self, payload): pass\n    @hookimpl\n    def probe(self): pass"),
        ("deliver at AT is `async`",),
        "plain function",
        slot="transport",
    ),
    "an asynchronous generator": Case(
        hook("adapter", "async def parse_receipts(self, document): yield None"),
        ("parse_receipts at AT is `async`",),
        "plain function",
    ),
    "a generator that should return": Case(
        hook("source", "def collect_documents(self, accept): yield 1"),
        ("collect_documents at AT has a `yield`",),
        "`return`",
        slot="source",
    ),
    "a wrapper": Case(
        hook("observe", "def observe(self, event): yield", mark="@hookimpl(wrapper=True)"),
        ("observe at AT is marked with an option that no hook here has",),
        "without wrapper",
        slot="observe",
    ),
    "a hook by another name": Case(
        hook("adapter", "def read(self, document): return []", mark='@hookimpl(specname="parse_receipts")'),
        ("unknown hook 'read' at AT",),
        "The hooks of adapter are: parse_receipts.",
    ),
}
BUILDS = {
    "make returns nothing": Case(
        'plugin = simple("One", "map", Nothing, lambda settings, context: None)\n',
        ("it built nothing for map",),
        "is a `return` missing?",
        "plugin =",
        "map",
    ),
    "make returns the class": Case(
        one("adapter", "    @hookimpl\n    def parse_receipts(self, document): pass").replace("Own())", "Own)"),
        ("for adapter it built the class Own itself (AT)",),
        "`Own(…)`",
        "class Own",
    ),
    "build returns nothing": Case(
        'def build(uses, context): pass\nplugin = Plugin(summary="One", slots={"map": Nothing}, build=build)\n',
        ("build at AT returned nothing",),
        "a list with one object for each use",
        slot="map",
    ),
    "build returns the object": Case(
        "class Own: pass\ndef build(uses, context): return Own()\n"
        'plugin = Plugin(summary="One", slots={"map": Nothing}, build=build)\n',
        ("build at AT returned one Own",),
        "a list with one object for each use",
        slot="map",
    ),
    "build returns too few": Case(
        'def build(uses, context): return []\nplugin = Plugin(summary="One", slots={"map": Nothing}, build=build)\n',
        ("build at AT returned 0 objects for 1 use (map)",),
        "one object for each use",
        slot="map",
    ),
    "build raises": Case(
        'def build(uses, context): return [{}["Anna Secret"]]\n'
        'plugin = Plugin(summary="One", slots={"map": Nothing}, build=build)\n',
        ("it cannot be built (KeyError at AT)",),
        "",
        slot="map",
    ),
    "build raises one of ours": Case(
        "from tillpost import InvalidValue\n"
        'def build(uses, context): raise InvalidValue("the shop has no name")\n'
        'plugin = Plugin(summary="One", slots={"map": Nothing}, build=build)\n',
        ("it cannot be built (the shop has no name at AT)",),
        "",
        slot="map",
    ),
}
DECLARED = {
    "settings of a dataclass": Case(
        "from dataclasses import dataclass\n@dataclass\nclass Own:\n    zone: str\n"
        'plugin = simple("One", "map", Own, lambda settings, context: None)\n',
        ("the settings of the slot 'map' are an attrs class", "not the dataclass Own (AT)"),
        "",
        "plugin = ",
        "map",
    ),
    "settings of a plain class": Case(
        'class Own: pass\nplugin = simple("One", "map", Own, lambda settings, context: None)\n',
        ("not the class Own (AT)",),
        "",
        "plugin = ",
        "map",
    ),
    "no settings": Case(
        'plugin = simple("One", "map", None, lambda settings, context: None)\n',
        ("without fields where there is nothing to set), not None (AT)",),
        "",
        "plugin = ",
        "map",
    ),
    "settings that are made already": Case(
        'plugin = simple("One", "map", Nothing(), lambda settings, context: None)\n',
        ("not one Nothing (AT)",),
        "",
        "plugin = ",
        "map",
    ),
    "a slot there is not": Case(
        'plugin = simple("One", "adaptor", Nothing, lambda settings, context: None)\n',
        ("there is no slot 'adaptor'; did you mean 'adapter'?", "AT"),
        "",
        "plugin = ",
    ),
    "a slot that is like none": Case(
        'plugin = simple("One", "till", Nothing, lambda settings, context: None)\n',
        ("there is no slot 'till'", "the slots are: source, adapter", "AT"),
        "",
        "plugin = ",
    ),
    "make of one argument": Case(
        'def make(settings): return None\nplugin = simple("One", "map", Nothing, make)\n',
        ("make cannot be make(settings): it is called as make(settings, context) (AT)",),
        "",
        "plugin = ",
        "map",
    ),
    "build of one argument": Case(
        'def build(uses): return []\nplugin = Plugin(summary="One", slots={"map": Nothing}, build=build)\n',
        ("build cannot be build(uses): it is called as build(uses, context) (AT)",),
        "",
        "plugin = ",
        "map",
    ),
    "parse of one argument": Case(
        'from tillpost.kit import adapter\ndef parse(document): yield\nplugin = adapter(parse, Nothing, "One")\n',
        ("parse cannot be parse(document): it is called as parse(document, settings, make_id) (AT)",),
        "",
        "plugin = ",
    ),
    "recognise that is text": Case(
        "from tillpost.kit import adapter\ndef parse(document, settings, make_id): yield\n"
        'plugin = adapter(parse, Nothing, "One", recognise="NCR")\n',
        ("recognise is a function, not one str: it is called as recognise(document, settings) (AT)",),
        "",
        "plugin = ",
    ),
    "a capability there is not": Case(
        'plugin = simple("One", "map", Nothing, lambda settings, context: None, capabilities=["customers"])\n',
        ("not customers (AT)",),
        "",
        "plugin = ",
        "map",
    ),
    "the class of the adapter": Case(
        "class plugin: pass\n", ("is the class plugin, not a tillpost.Plugin",), "tillpost.kit.adapter", "class plugin"
    ),
    "a function": Case(
        "def plugin(): pass\n", ("is one function, not a tillpost.Plugin",), "tillpost.simple", "def plugin"
    ),
    "a module that raises": Case("x = {}\nx['a']\n", ("KeyError at AT",), "", "x['a']"),
    "a module that is no Python": Case("def plugin(:\n", ("SyntaxError at AT: invalid syntax",), "", "def plugin"),
    "a module that lacks a library": Case(
        "import nobody_has_this\n", ("No module named 'nobody_has_this'",), "", "imp"
    ),
    "a setting of the core": Case(
        "@attrs.frozen(kw_only=True)\nclass Own:\n    poll: str = '1s'\n"
        'plugin = simple("One", "source", Own, lambda settings, context: None)\n',
        ("its settings for source have poll, which the core reads itself",),
        "another name",
        "class Own",
        "source",
    ),
    "a setting named use": Case(
        "@attrs.frozen(kw_only=True)\nclass Own:\n    use: str = ''\n"
        'plugin = simple("One", "adapter", Own, lambda settings, context: None)\n',
        ("its settings for adapter have use, which the core reads itself",),
        "another name",
        "class Own",
    ),
}
ALL = {**HOOKS, **BUILDS, **DECLARED}


@pytest.mark.parametrize("name", ALL)
def test_m1_m7_a_plugin_that_is_written_wrongly_is_a_finding_with_its_place_and_remedy(
    strange: Strange, name: str
) -> None:
    case, own = ALL[name], f"strange_{list(ALL).index(name)}"
    module = strange.install(own, case.code)
    file = strange.configure(**{case.slot: f'{{ use = "{own}" }}'})
    [finding] = findings(file)
    place = f"{module}:{line_of(module, case.where)}"
    for part in case.said:
        assert part.replace("AT", place) in str(finding["message"])
    assert case.then in str(finding["next_step"])
    assert str(finding["message"]).startswith(f'plugin "{own}" ')
    assert (finding["key"], finding["line"]) == (f"pipelines.shop.{case.slot}.use", line_of(file, f"{case.slot} ="))
    assert "Anna" not in str(finding["message"])


def test_m1_every_fault_of_a_plugin_is_told_at_once(strange: Strange) -> None:
    body = "    @hookimpl\n    def deliver(self, body): pass\n    @hookimpl\n    def probes(self): pass"
    strange.install("strange_many", one("transport", body))
    told = [str(each["message"]) for each in findings(strange.configure(transport='{ use = "strange_many" }'))]
    assert ["has an argument 'body'" in told[0], "unknown hook 'probes'" in told[1], len(told)] == [True, True, 2]


def test_m1_the_other_plugins_of_a_pipeline_are_judged_too(strange: Strange) -> None:
    strange.install("strange_first", hook("adapter", "def parse_receipts(self, doc): return []"))
    strange.install("strange_second", hook("observe", "def observe(self, events): return None"))
    file = strange.configure(adapter='{ use = "strange_first" }', observe='{ use = "strange_second" }')
    assert [each["key"] for each in findings(file)] == ["pipelines.shop.adapter.use", "pipelines.shop.observe.use"]


def test_m12_check_shows_the_lines_of_a_plugin_that_cannot_be_built(strange: Strange) -> None:
    code = """
        def inner(settings):
            return {}[settings.name]

        def make(settings, context):
            return inner(settings)

        @attrs.frozen(kw_only=True)
        class Own:
            name: str

        plugin = simple("One", "map", Own, make)
        """
    module = strange.install("strange_deep", code)
    file = strange.configure(map='{ use = "strange_deep", name = "Anna Secret" }')
    result = CliRunner().invoke(cli, ["--config", str(file), "check", "--offline"])
    told = result.stderr.splitlines()
    assert told[1:4] == [
        f"    {module}:{line_of(module, 'return inner')} in make: return inner(settings)",
        f"    {module}:{line_of(module, 'return {}')} in inner: return {{}}[settings.name]",
        "    KeyError",
    ]
    assert "Anna" not in result.output


def test_a_descriptor_that_raises_is_no_hook_and_is_not_run(strange: Strange) -> None:
    code = """
        class Raises:
            def __get__(self, each, kind=None):
                if each is not None:
                    raise RuntimeError("run")
                return self

        class Own:
            other = Raises()

            @hookimpl
            def parse_receipts(self, document):
                return []

        plugin = simple("One", "adapter", Nothing, lambda settings, context: Own())
        """
    strange.install("strange_descriptor", code)
    file = strange.configure(adapter='{ use = "strange_descriptor" }')
    result = CliRunner().invoke(cli, ["--config", str(file), "check", "--offline"])
    assert result.exit_code == 0, result.output
