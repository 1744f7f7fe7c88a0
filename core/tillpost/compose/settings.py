"""Reads a table of the configuration into a Settings class: strict, and every fault is reported at once.

cattrs chooses the hook for a declared type. The hooks here keep the key path, so that each fault becomes a Finding
with its line, and reading continues with the next key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import attrs
import cattrs
from cattrs.errors import StructureHandlerNotFoundError

from tillpost.compose import values
from tillpost.compose.plugins import REPORT_PLUGIN
from tillpost.compose.toml_lines import KeyPath, Lines, key_text
from tillpost.compose.values import SettingError
from tillpost.errors import Finding, TillpostError
from tillpost.plugin import Secret

T = TypeVar("T")


class _Reported(Exception):
    """The fault is among the findings; the value that contains it cannot be built."""


class SettingsReader:
    """Reads the tables of one file; their faults are collected in `findings`. folder: the base of relative paths."""

    def __init__(self, shown: str, folder: Path, lines: Lines) -> None:
        self.findings: list[Finding] = []
        self._shown = shown
        self.folder = folder
        self.file = Path(shown).name
        self._lines = lines
        self._path: KeyPath = ()
        self._converter = self._hooks()

    def report(
        self, path: KeyPath, message: str, next_step: str = "", level: str = "error", trace: tuple[str, ...] = ()
    ) -> None:
        """Add a fault of this key to the findings, with its line. trace: the lines of a plugin that raised."""
        self.findings.append(
            Finding(
                message=message,
                file=self._shown,
                line=self._lines.at(path),
                key=key_text(path),
                next_step=next_step,
                level=level,
                trace=trace,
            )
        )

    def read(self, table: Any, kind: type[T], path: KeyPath, also: Iterable[str] = ()) -> T | None:
        """The table at `path` as an instance of `kind`, or None after adding the reasons to `findings`.

        also: keys of the table that are read elsewhere, for the suggestion at an unknown key.
        """
        self._path = path
        try:
            return self._class(table, kind, also)  # type: ignore[no-any-return]
        except _Reported:
            return None

    def _hooks(self) -> cattrs.Converter:
        converter = cattrs.Converter()
        simple: dict[Any, Callable[[Any], Any]] = {
            str: values.text,
            int: values.integer,
            bool: values.boolean,
            Decimal: values.decimal,
            float: values.number,
            timedelta: values.duration,
            ZoneInfo: values.time_zone,
            Path: lambda value: values.path(value, self.folder),
        }
        for kind, make in simple.items():
            converter.register_structure_hook(kind, _ignoring_type(make))
        converter.register_structure_hook(Secret, lambda value, _: self._secret(value))
        converter.register_structure_hook_func(attrs.has, lambda value, kind: self._class(value, kind, ()))
        converter.register_structure_hook_func(_made_of(Literal), _choice)
        converter.register_structure_hook_func(_made_of(tuple), self._tuple)
        converter.register_structure_hook_func(_made_of(dict, Mapping), self._dict)
        return converter

    @contextmanager
    def _inside(self, step: str | int) -> Iterator[None]:
        outside, self._path = self._path, (*self._path, step)
        try:
            yield
        finally:
            self._path = outside

    def _item(self, step: str | int, value: Any, kind: Any) -> Any:
        """One value below the current key; its fault is reported here, where the path is known."""
        with self._inside(step):
            try:
                return self._converter.structure(value, kind)
            except SettingError as err:
                self.report(self._path, err.message, err.next_step)
            except StructureHandlerNotFoundError:
                fault = "cannot be set: the plugin declares a type no configuration has."
                self.report(self._path, fault, REPORT_PLUGIN)
            except (ValueError, TypeError) as err:
                self.report(self._path, f"{_message(err)}, and is {values.show(value)}.")
            raise _Reported

    def _secret(self, value: Any) -> Secret:
        secret = values.secret(value, self.folder)
        if secret.origin == "literal":
            hint = 'Move it out: { env = "NAME" } or { file = "path" }.'
            self.report(self._path, "the secret is in the configuration file itself.", hint, "warning")
        return secret

    def _tuple(self, value: Any, kind: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise SettingError(f"must be a list, and is {values.show(value)}.", "Write it in square brackets.")
        kinds = get_args(kind)
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            kinds = (kinds[0],) * len(value)
        if len(kinds) != len(value):
            raise SettingError(f"must have {len(kinds)} items, and has {len(value)}.")
        return tuple(self._each((step, item, kinds[step]) for step, item in enumerate(value)))

    def _dict(self, value: Any, kind: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise SettingError(f"must be a table, and is {values.show(value)}.", "Write it as { key = value }.")
        of = get_args(kind)[1]
        return dict(zip(value, self._each((name, item, of) for name, item in value.items()), strict=True))

    def _each(self, items: Iterable[tuple[str | int, Any, Any]]) -> list[Any]:
        items, read = list(items), []
        for step, item, kind in items:
            with suppress(_Reported):
                read.append(self._item(step, item, kind))
        if len(read) < len(items):
            raise _Reported
        return read

    def _class(self, table: Any, kind: Any, also: Iterable[str]) -> Any:
        path = self._path
        if not isinstance(table, Mapping):
            self.report(path, f"must be a table, and is {values.show(table)}.", "Write it as { key = value }.")
            raise _Reported
        hints = get_type_hints(kind)
        fields = {field.alias or field.name: field for field in attrs.fields(kind) if field.init}
        known = {*fields, *also}
        before = sum(finding.level == "error" for finding in self.findings)
        hinted = {name: values.suggestion(name, known) for name in table if name not in fields}
        for name, hint in hinted.items():
            self.report((*path, name), "unknown key.", hint)
        given: dict[str, Any] = {}
        for name, field in fields.items():
            if name in table:
                with suppress(_Reported):
                    given[name] = self._item(name, table[name], hints[field.name])
                    self._validate(kind, field, name, given[name], table[name])
            elif field.default is attrs.NOTHING:
                if f'Did you mean "{name}"?' not in hinted.values():  # one mistake is one finding
                    self.report((*path, name), "is missing.", f"Add it to {key_text(path)}.")
            elif isinstance(field.default, Path):
                given[name] = self.folder / field.default
        if sum(finding.level == "error" for finding in self.findings) > before:
            raise _Reported
        try:
            return kind(**given)
        except (ValueError, TypeError, TillpostError) as err:
            self.report(path, f"{_message(err)}.")
            raise _Reported from None

    def _validate(self, kind: Any, field: attrs.Attribute[Any], name: str, value: Any, written: Any) -> None:
        """Call the field's validator here, because the class would stop at the first that raises."""
        if field.validator is None or field.converter is not None:
            return
        try:
            field.validator(object.__new__(kind), field, value)
        except AttributeError:
            pass  # it reads other fields: the class calls it when it has them
        except (ValueError, TypeError, TillpostError) as err:
            shown = "" if isinstance(value, Secret) else f", and is {values.show(written)}"
            self.report((*self._path, name), f"{_message(err).removeprefix(f'{field.name} ')}{shown}.")


def _ignoring_type(make: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: make(value)


def _made_of(*origins: Any) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) in origins


def _message(err: Exception) -> str:
    """The message of a validator; attrs' own append the values."""
    message = str(err) if isinstance(err, TillpostError) or not err.args else str(err.args[0])
    return message.strip().rstrip(".") or "is refused by the plugin"


def _choice(value: Any, kind: Any) -> Any:
    allowed = get_args(kind)
    for one in allowed:
        if type(value) is type(one) and value == one:
            return one
    listed = " or ".join(", ".join(values.show(one) for one in allowed).rsplit(", ", 1))
    raise SettingError(f"must be {listed}, and is {values.show(value)}.")
