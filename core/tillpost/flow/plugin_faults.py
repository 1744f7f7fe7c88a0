"""What a plugin did against its contract, as an error that names the plugin, what was expected and the place."""

from __future__ import annotations

import inspect
import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from hashlib import sha256
from types import GeneratorType
from typing import Any, get_args

import attrs

from tillpost.errors import InvalidValue, PluginError, WrongType, plugin_place_of, plugin_trace
from tillpost.model import Document, DocumentTrouble, FallbackFile, Payload, Receipt
from tillpost.model.typed import wrong_arguments
from tillpost.trace import current_work

_log = logging.getLogger("tillpost.flow")
_MAKES = {
    "Document": "Document.from_bytes(name, content) makes one",
    "DocumentTrouble": "DocumentTrouble(name=…, reason=…) makes one",
    "cursor": "json.dumps makes text of other values",
}


_DIGEST = re.compile("[0-9a-f]{64}")


class HandedOver(Exception):
    """A source gave the flow something else than it should; the text has its type, and no value."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def handed_over(what: object, kind: type, called: str = "") -> Any:
    """What a source gave, when it is of this kind. Raises HandedOver, an error of the plugin."""
    if isinstance(what, kind):
        return what
    name = called or kind.__name__
    raise HandedOver(f"gave {_one(what)} where a {name} is meant", _MAKES[name])


def document_of(document: object, cursor: object) -> Document:
    """A document from a source, with the source's place after it. Raises HandedOver.

    A file's digest is not computed once more: a large one would be read twice.
    """
    given: Document = handed_over(document, Document)
    content = given.content
    if not _DIGEST.fullmatch(given.sha256) or (content is not None and sha256(content).hexdigest() != given.sha256):
        raise HandedOver("gave a Document whose sha256 is not that of its content", f"{_MAKES['Document']} with it")
    return given if cursor is None else attrs.evolve(given, cursor=handed_over(cursor, str, "cursor"))


def trouble_of(trouble: object) -> DocumentTrouble:
    """What a source reports. Raises HandedOver."""
    given: DocumentTrouble = handed_over(trouble, DocumentTrouble)
    return given


def unexpected(name: str, hook: str, error: BaseException, record: int = 0) -> PluginError:
    """The error for what a plugin raised, without its text, which may quote a value. record: which was being read."""
    what, remedy = f"raised {type(error).__name__}", ""
    if isinstance(error, HandedOver):
        what, remedy = str(error), f"; {error.remedy}"
    elif isinstance(error, WrongType):
        what, remedy = "made a wrong value", f": {error}"
    elif isinstance(error, InvalidValue) and hook == "parse_receipts":
        what, remedy = "let out what is wrong with a record", f": {error}"
    elif isinstance(error, TypeError) and (wrong := wrong_arguments(error)):
        remedy = f": {wrong}"
    fault = PluginError(name, f"{hook} {what} at {plugin_place_of(error)}{_record(record)}{remedy}")
    _log.debug("%s: %s", fault, " | ".join(plugin_trace(error, code=False)))
    return fault


def wrong_type(name: str, hook: str, answer: object, kinds: Any, record: int = 0, place: str = "") -> PluginError:
    """The error for an answer that is of none of these kinds."""
    at = f" at {place}" if place else ""
    what = f"{hook} gave {_one(answer)}{at}{_record(record)}, which its contract does not allow"
    return PluginError(name, f"{what}: it gives {_named(kinds)}")


def no_answer(name: str, hook: str, kinds: Any, place: str = "") -> PluginError:
    """The error for a hook that must answer."""
    at = f" at {place}" if place else ""
    return PluginError(name, f"{hook} gave no answer{at} (is a `return` missing?): it gives {_named(kinds)}")


def unsendable(fields: Mapping[str, Any]) -> str:
    """What in a body is no text, number, truth value, list or mapping of these, by its path; "" when all is."""
    return "" if _is_plain(fields) else next(_unsendable(fields, ""), "")


def place_of_function(function: Callable[..., Any]) -> str:
    """Where a function is defined, as FILE:LINE of its `def`."""
    inner = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(inner, "__code__", None)
    if code is None:
        return "an unknown place"
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, IndexError):
        return f"{code.co_filename}:{code.co_firstlineno}"
    steps = (step for step, line in enumerate(lines) if line.lstrip().startswith(("def ", "async def ")))
    return f"{code.co_filename}:{first + next(steps, 0)}"


def place_of_hook(caller: Any) -> str:
    """Where the plugin's function behind a hook is defined, as FILE:LINE. Of an adapter of the kit it is `parse`."""
    implementations: Any = getattr(caller, "get_hookimpls", list)()
    function = implementations[0].function if implementations else caller
    return place_of_function(getattr(getattr(function, "__self__", None), "parse", function))


def place_of_yield(records: object) -> str:
    """Where a generator stands, as FILE:LINE; "" for what is no generator of Python."""
    while isinstance(records, GeneratorType):
        frame, records = records.gi_frame, records.gi_yieldfrom
        if frame is not None and not isinstance(records, GeneratorType):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
    return ""


@attrs.define
class FaultLog:
    """Tells faults of plugins in the log that nobody else tells: the first of its kind, the tenth, the hundredth …"""

    _times: Counter[str] = attrs.field(factory=Counter)

    def tell(self, fault: PluginError, given: Mapping[str, Any]) -> None:
        """Log the fault with the receipt, document or file it is about. given: the arguments of the hook.

        Only in the work of a pipeline: a command tells it itself.
        """
        pipeline, at_work = current_work()
        if not pipeline:
            return
        self._times[str(fault)] += 1
        times = self._times[str(fault)]
        if str(times).strip("0") != "1":
            return
        about = next(filter(None, (say(given) for say in _ABOUT)), "")
        if at_work:  # the log names it already
            about = about.replace(f" at receipt {at_work},", "").replace(f", at receipt {at_work}", "")
        again = f" (time {times:,})" if times > 1 else ""
        _log.error("pipeline %s: %s%s%s", pipeline, fault, about, again)


def _about_receipt(given: Mapping[str, Any]) -> str:
    receipt = given.get("receipt")
    if not isinstance(receipt, Receipt):
        return ""
    return f", at receipt {receipt.id}, document {receipt.raw.document}, {receipt.raw.place}"


def _about_payload(given: Mapping[str, Any]) -> str:
    payload = given.get("payload")
    return f", at receipt {payload.receipt_id}" if isinstance(payload, Payload) else ""


def _about_file(given: Mapping[str, Any]) -> str:
    file = given.get("file")
    return f", at file {file.name}" if isinstance(file, FallbackFile) else ""


_ABOUT: tuple[Callable[[Mapping[str, Any]], str], ...] = (_about_receipt, _about_payload, _about_file)


def _one(value: object) -> str:
    return _article(type(value).__name__)


def _article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"


def _record(number: int) -> str:
    return f" (record {number})" if number else ""


def _named(kinds: Any) -> str:
    """`Delivered, NotSent or Refused` of a type, a union or a tuple of these."""
    names = list(dict.fromkeys(_names(kinds)))
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else _article(names[0])


def _names(kinds: Any) -> Iterator[str]:
    parts = kinds if isinstance(kinds, tuple) else get_args(kinds)
    if isinstance(kinds, type) and not parts:
        yield kinds.__name__
    for part in parts:
        yield from _names(part)


_PLAIN = frozenset((str, int, Decimal, bool, type(None)))
_NAMES = frozenset((str,))


def _is_plain(value: Any) -> bool:
    """Whether it is of the usual kinds, which is fast to tell: every body is asked about."""
    if type(value) is dict:
        if not _NAMES.issuperset(map(type, value)):
            return False
        items: Collection[Any] = value.values()
    elif type(value) is list:
        items = value
    else:
        return type(value) in _PLAIN
    return _PLAIN.issuperset(map(type, items)) or all(type(item) in _PLAIN or _is_plain(item) for item in items)


def _unsendable(value: Any, path: str) -> Iterator[str]:
    if value is None or isinstance(value, str | int | Decimal):
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str):
                yield f"a key of {path or 'the body'} is {_one(name)}, not text"
            yield from _unsendable(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _unsendable(item, f"{path}[{number}]")
    else:
        yield f"{path} is {_one(value)}"
