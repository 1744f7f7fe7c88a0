"""The texts and attributes of an XML text replaced, and every other character of it left as it is."""

from __future__ import annotations

import re

from tillpost.support.sample.json_text import Path, Rewrite, rewrite_json

_TOKEN = re.compile(
    r"(?P<comment><!--.*?(?:-->|\Z))|(?P<cdata><!\[CDATA\[.*?(?:\]\]>|\Z))|(?P<instruction><\?.*?(?:\?>|\Z))"
    r"|(?P<doctype><!DOCTYPE[^>\[]*(?:\[[^\]]*\]?\s*)?>?)|(?P<tag></?[^<>\s/]+(?:\"[^\"]*\"|'[^']*'|[^<>\"'])*>?)"
    r"|(?P<text>[^<]+|<)",
    re.S,
)
_ATTRIBUTE = re.compile(r"([^\s=/<>\"']+)(\s*=\s*)(\"[^\"]*\"|'[^']*')", re.S)
_NAME = re.compile(r"</?\s*([^\s/>]+)")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_PUBLIC = re.compile(r"(?:(?:https?://|urn:)\S+|[\w.-]+\.xsd|\s)+")
"""Addresses of schemas, and not of files on somebody's machine."""
_ENTITY = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def rewrite_xml(text: str, rewrite: Rewrite) -> str:
    """The text with its values rewritten; a cut or broken text, too.

    A value that comments or instructions part is one value: what stands in for it is parted at the same places. What
    comments, instructions and declarations of entities say is rewritten whole.
    """
    out: list[str] = []
    stack: list[str] = []
    parts: list[tuple[int, str, bool]] = []
    """Of the value that is being read: where each part stands in `out`, its text, and whether it is CDATA."""

    def close_value() -> None:
        whole = "".join(part for _, part, _ in parts)
        if whole.strip():
            made = _value(rewrite, tuple(stack), whole)
            if made != whole:
                _put(out, parts, made)
        parts.clear()

    for found in _TOKEN.finditer(text):
        kind, token = found.lastgroup, found[0]
        if kind in ("text", "cdata"):
            bare = _unescaped(token) if kind == "text" else _inside(token, "<![CDATA[", "]]>")[0]
            parts.append((len(out), bare, kind == "cdata"))
        elif kind == "comment":
            said, end = _inside(token, "<!--", "-->")
            token = f"<!--{rewrite((*stack, '(comment)'), said)}{end}"
        elif kind == "instruction" and not token.startswith("<?xml "):
            said, end = _inside(token, "<?", "?>")
            target, blank, rest = said.partition(" ")
            token = f"<?{target}{blank}{rewrite((*stack, '(instruction)'), rest)}{end}"
        elif kind == "doctype" and "[" in token:
            token = _QUOTED.sub(lambda one: one[0][0] + rewrite(("(entity)",), one[0][1:-1]) + one[0][0], token)
        elif kind == "tag":
            close_value()
            name = (_NAME.match(token) or ["", ""])[1]
            if token.startswith("</"):
                del stack[-1:]
            else:
                stack.append(name)
                token = _ATTRIBUTE.sub(lambda one: _attribute(one, tuple(stack), rewrite), token)
                if token.endswith("/>"):
                    stack.pop()
        out.append(token)
    close_value()
    return "".join(out)


def _inside(token: str, begin: str, end: str) -> tuple[str, str]:
    """What stands between the marks, and the mark at the end; "" where the text is cut before it."""
    said = token.removeprefix(begin)
    return (said.removesuffix(end), end) if said.endswith(end) else (said, "")


def _value(rewrite: Rewrite, path: Path, whole: str) -> str:
    if whole.strip()[:1] in ("{", "["):
        return rewrite_json(whole, rewrite, path)
    return rewrite(path, whole)


def _put(out: list[str], parts: list[tuple[int, str, bool]], made: str) -> None:
    """Put the value into its parts, each as long as it was; the last has what is left."""
    for number, (at, part, is_cdata) in enumerate(parts):
        piece = made if number == len(parts) - 1 else made[: len(part)]
        made = made[len(piece) :]
        out[at] = f"<![CDATA[{piece.replace(']]>', ']] >')}]]>" if is_cdata else _escaped(piece)


def _attribute(found: re.Match[str], path: Path, rewrite: Rewrite) -> str:
    name, equals, quoted = found.groups()
    if name.startswith("xmlns") or (name.endswith(":schemaLocation") and _PUBLIC.fullmatch(quoted[1:-1])):
        return found[0]
    value = _unescaped(quoted[1:-1])
    made = rewrite((*path, f"@{name}"), value)
    mark = quoted[0]
    other = "&quot;" if mark == '"' else "&apos;"
    return found[0] if made == value else f"{name}{equals}{mark}{_escaped(made).replace(mark, other)}{mark}"


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        code = int(found[1], 16) if found[1] else int(found[2] or 0)
        return _NAMED[found[3]] if found[3] else chr(code) if code < 0x110000 else found[0]

    return _ENTITY.sub(one, text) if "&" in text else text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
