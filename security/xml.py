"""The only door for XML from outside: what comes through holds no DTD, no entity, no comment and no surprise in size.

A message is brought to UTF-8 first and its prolog is read by the grammar of XML 1.0, so that the parser never meets
a DOCTYPE, whatever the encoding. Exclusive canonicalisation, which the signature profile asks for, is here too.
"""

from __future__ import annotations

import codecs
import ctypes
import re
import threading
import time
from typing import Any, TypeAlias

from lxml import etree

from errors import DoctypeRefused, MalformedMessage, TooLarge

# lxml publishes no types: the name says what a value is.
Element: TypeAlias = Any

MAX_DEPTH = 100
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_CHARACTERS = 16_384
# With its prefix. The longest name of a published contract has 42.
MAX_NAME_CHARACTERS = 256
MAX_TEXT_CHARACTERS = 2_097_152
# Some fifty times what the largest message takes.
MAX_SECONDS = 5.0
# A node in memory takes some 200 bytes, a message of ten empty elements no more than 40: so a small message could be a
# large tree. One node for 40 bytes is more than a message with content in it has.
BYTES_A_NODE = 40
_LEAST_NODES = 4_194_304 // BYTES_A_NODE
# The cost of writing out an element grows with the declarations in its scope, and with the square of its own.
MAX_DECLARATIONS = 64
MAX_DECLARATIONS_IN_SCOPE = 128
# A canonical form repeats a namespace name in every element that is the first to use it: a long name in a short
# message would be a huge canonical form.
MAX_NAMESPACE_CHARACTERS = 256
# lxml keeps every name that a thread has ever parsed, for as long as the thread lives: who makes up names fills the
# memory. After so many bytes a thread may forget them.
_MOST_REMEMBERED = 1_048_576
_parsed = threading.local()
_NAMES = "_ParserDictionaryContext"
# What the parser is given at a time; between two pieces it is asked how long it has been at it.
_PIECE = 65_536

_DECLARATION = re.compile(
    rb"<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:\"1\.0\"|'1\.0')"
    rb"(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*[\"'](?P<encoding>[A-Za-z][A-Za-z0-9._-]*)[\"'])?"
    rb"(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:\"yes\"|\"no\"|'yes'|'no'))?[ \t\r\n]*\?>"
)
_SPACE_AND_COMMENTS = re.compile(rb"(?:[ \t\r\n]+|<!--.*?-->)*", re.DOTALL)
# What may be a long name, which is then looked at in the tree; few messages have anything like it.
_LONG_RUN = re.compile(rb"[< \t\r\n][^ \t\r\n<>=/\"']{%d}" % (MAX_NAME_CHARACTERS + 1))
_LONG_PREFIX = re.compile(rb"xmlns:[^ \t\r\n=]{%d}" % (MAX_NAME_CHARACTERS + 1))
_TAG_AND_TEXT = re.compile(rb"[^<]+")
_VALUE = re.compile(rb"\"[^\"]*\"|'[^']*'")
_LIKE_A_LONG_NAME = re.compile(
    rb"xmlns[^=<>]*=[ \t\r\n]*(?:\"[^\"]{%d}|'[^']{%d})"
    % (MAX_NAMESPACE_CHARACTERS + 1, MAX_NAMESPACE_CHARACTERS + 1)
)
_UTF_16 = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DECLARED = {
    "utf-8": {"utf-8", "utf8", "us-ascii"},
    "utf-16-le": {"utf-16", "utf-16le"},
    "utf-16-be": {"utf-16", "utf-16be"},
}
_ACCEPTED = frozenset().union(*_DECLARED.values())

_TOO_DEEP = etree.XPath("boolean(/" + "/".join(["*"] * (MAX_DEPTH + 1)) + ")")
_TOO_MANY_ATTRIBUTES = etree.XPath(f"boolean(//*/@*[{MAX_ATTRIBUTES + 1}])")
_ATTRIBUTE_TOO_LONG = etree.XPath(f"boolean(//@*[string-length() > {MAX_ATTRIBUTE_CHARACTERS}])")
_NAME_TOO_LONG = etree.XPath(
    f"boolean(//*[string-length(name()) > {MAX_NAME_CHARACTERS}]"
    f" | //@*[string-length(name()) > {MAX_NAME_CHARACTERS}])"
)
_TEXT_TOO_LONG = etree.XPath(f"boolean(//text()[string-length() > {MAX_TEXT_CHARACTERS}])")
_INSTRUCTION = etree.XPath("boolean(//processing-instruction())")


def parse(
    data: bytes, *, max_bytes: int = 4_194_304, encoding: str | None = None, max_seconds: float = MAX_SECONDS
) -> Element:
    """Parse a message from outside into its root element.

    Shape: UTF-8, or UTF-16 with a byte order mark; XML 1.0. Comments are dropped, so that a text is one text.
    `encoding` is what the transport says of the bytes, where it says anything: one that is accepted, and where no mark
    says which one it is, the one that is used (RFC 7303, 3).
    Raises: DoctypeRefused, TooLarge (bytes, nodes, depth, attributes, names, text, declarations,
    namespace names, time), MalformedMessage (with the position).
    """
    if len(data) > max_bytes:
        raise TooLarge(f"more than {max_bytes} bytes")
    _parsed.bytes = getattr(_parsed, "bytes", 0) + len(data)
    until = time.monotonic() + max_seconds
    text = _without_declaration(data, encoding)
    _refuse_prolog(text)
    nodes = max(_LEAST_NODES, max_bytes // BYTES_A_NODE)
    # Before any of them is made: tags, and attributes by their quotation marks.
    attributes = (text.count(b'"') + text.count(b"'")) // 2
    if text.count(b"<") + attributes > nodes:
        raise TooLarge(f"more than {nodes} tags and attributes")
    if text.count(b"xmlns") > MAX_DECLARATIONS and any(
        _declares_too_much(tag[0]) for tag in _TAG_AND_TEXT.finditer(text)
    ):
        raise TooLarge(f"more than {MAX_DECLARATIONS} namespace declarations in one element")
    root = _tree(text, until)
    # Never reached as long as the prolog is read rightly; kept because everything above rests on it.
    if root.getroottree().docinfo.doctype or any(True for _ in root.iter(etree.Entity)):
        raise DoctypeRefused
    _limit(root, text, attributes)
    if _INSTRUCTION(root):
        raise MalformedMessage("processing instruction")
    if text.count(b"xmlns") > MAX_DECLARATIONS_IN_SCOPE or _LIKE_A_LONG_NAME.search(text):
        _refuse_declarations(root)
    return root


def forget_names() -> bool:
    """Let go of the names that this thread has parsed, where they may be many; whether it was so.

    For the end of a request, never within lxml's own work. lxml has no call for it: it keeps them in the dictionary of
    the thread, and makes a new one where there is none. Documents that are still in use keep theirs.
    """
    if getattr(_parsed, "bytes", 0) < _MOST_REMEMBERED:
        return False
    _parsed.bytes = 0
    _thread_state().pop(_NAMES, None)
    return True


def _thread_state() -> dict[object, object]:
    """The dictionary of this thread in the interpreter, where libraries keep what is a thread's own."""
    get = ctypes.pythonapi.PyThreadState_GetDict
    # Borrowed: as an object, ctypes would count one owner too few.
    get.restype = ctypes.c_void_p
    found: dict[object, object] = ctypes.cast(get(), ctypes.py_object).value
    return found


def reread(written: bytes) -> Element:
    """Parse what we wrote ourselves: a tree of ours, or one that `parse` let in and that is not judged a second time.

    Raises: MalformedMessage.
    """
    try:
        return etree.fromstring(written, _parser())
    except etree.XMLSyntaxError as error:
        raise MalformedMessage(f"line {error.lineno}, column {error.offset}") from error


def _parser() -> etree.XMLParser:
    """A parser of its own for each message: parsers keep state and a lock."""
    return etree.XMLParser(
        encoding="utf-8",
        attribute_defaults=False,
        dtd_validation=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        resolve_entities=False,
        remove_comments=True,
        remove_pis=False,
        collect_ids=False,
    )


def serialise(element: Element) -> bytes:
    """Write an element as a document of its own: UTF-8 with the XML declaration."""
    written: bytes = etree.tostring(element, encoding="UTF-8", xml_declaration=True, with_tail=False)
    return written


def canonical(element: Element, prefixes: tuple[str, ...] = ()) -> bytes:
    """Write an element in exclusive canonical XML 1.0 without comments.

    Shape: `prefixes` is the InclusiveNamespaces PrefixList, without `#default`, which lxml passes over.
    Raises: MalformedMessage where XML has no canonical form (a relative namespace name).
    """
    try:
        written: bytes = etree.tostring(
            element,
            method="c14n",
            exclusive=True,
            with_comments=False,
            with_tail=False,
            inclusive_ns_prefixes=list(prefixes) or None,
        )
    except etree.C14NError as error:
        raise MalformedMessage("no canonical form: a namespace name is not absolute") from error
    return written


def _tree(text: bytes, until: float) -> Element:
    """Parse what was made harmless, piece by piece.

    Raises: TooLarge when it is not done at the instant `until`, MalformedMessage with the position.
    """
    parser = _parser()
    try:
        for start in range(0, len(text), _PIECE):
            if time.monotonic() > until:
                raise TooLarge("it took too long to parse")
            parser.feed(text[start : start + _PIECE])
        return parser.close()
    except etree.XMLSyntaxError as error:
        # The parser's message quotes the text; the position is enough.
        raise MalformedMessage(f"line {error.lineno}, column {error.offset}") from error


def _limit(root: Element, text: bytes, attributes: int) -> None:
    """Refuse what is larger than a message of ours is in any way; `attributes` is how many it has at most.

    The tree is asked only where the text is long enough to hold such a thing.
    Raises: TooLarge.
    """
    if text.count(b"<") > 2 * MAX_DEPTH and _TOO_DEEP(root):
        raise TooLarge(f"elements nested more than {MAX_DEPTH} deep")
    if attributes > MAX_ATTRIBUTES and _TOO_MANY_ATTRIBUTES(root):
        raise TooLarge(f"more than {MAX_ATTRIBUTES} attributes in one element")
    if len(text) > MAX_ATTRIBUTE_CHARACTERS and _ATTRIBUTE_TOO_LONG(root):
        raise TooLarge(f"an attribute of more than {MAX_ATTRIBUTE_CHARACTERS} characters")
    if _LONG_RUN.search(text) and (_NAME_TOO_LONG(root) or _LONG_PREFIX.search(text)):
        raise TooLarge(f"a name of more than {MAX_NAME_CHARACTERS} characters")
    if len(text) > MAX_TEXT_CHARACTERS and _TEXT_TOO_LONG(root):
        raise TooLarge(f"a text of more than {MAX_TEXT_CHARACTERS} characters")


def _without_declaration(data: bytes, told: str | None) -> bytes:
    """The message in UTF-8, without byte order mark and XML declaration: one encoding reaches the parser.

    Raises: MalformedMessage when it is in another encoding, or in another one than it says, or than was told.
    """
    encoding = next((name for mark, name in _UTF_16 if data.startswith(mark)), "utf-8")
    try:
        # Strict, and from the bytes: a declaration must not choose how itself is read.
        if encoding == "utf-8":
            _check_utf_8(data)
            text = data.removeprefix(codecs.BOM_UTF8)
        else:
            text = data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
    except UnicodeError as error:
        raise MalformedMessage(f"the bytes are not {encoding}") from error
    marked = data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if told is not None and told.lower() not in (_ACCEPTED if marked else _DECLARED[encoding]):
        raise MalformedMessage("the encoding told by the transport is not the one used, or not one accepted")
    declaration = _DECLARATION.match(text)
    if declaration is None:
        return text
    declared = declaration["encoding"]
    if declared is not None and declared.decode("ascii").lower() not in _DECLARED[encoding]:
        raise MalformedMessage("the encoding declared is not the one used, or not one accepted")
    return text[declaration.end() :]


def _check_utf_8(data: bytes) -> None:
    """Piece by piece: a text of its own would take four times the bytes for one rare character.

    Raises: UnicodeError.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    for start in range(0, len(data), _PIECE):
        decoder.decode(data[start : start + _PIECE])
    decoder.decode(b"", final=True)


def _refuse_prolog(text: bytes) -> None:
    """Refuse all that may stand before the root element except white space and comments.

    Raises: DoctypeRefused, MalformedMessage.
    """
    matched = _SPACE_AND_COMMENTS.match(text)
    start = matched.end() if matched is not None else 0
    if text.startswith(b"<!DOCTYPE", start):
        raise DoctypeRefused
    if text.startswith(b"<?", start):
        raise MalformedMessage("processing instruction")
    if not text.startswith(b"<", start) or text.startswith(b"<!", start):
        raise MalformedMessage("no root element")


def _declares_too_much(piece: bytes) -> bool:
    """Whether a tag, given with the text behind it, has too many namespace declarations."""
    if piece.count(b"xmlns") <= MAX_DECLARATIONS:
        return False
    # Only values may hold a `>`; without them the tag ends at the first one, and the text behind counts for nothing.
    tag, _, _ = _VALUE.sub(b"", piece).partition(b">")
    return tag.count(b"xmlns") > MAX_DECLARATIONS


def _refuse_declarations(root: Element) -> None:
    """Raises: TooLarge for too many namespace declarations in one scope, or a namespace name that is too long."""
    in_scope = 0
    for event, declared in etree.iterwalk(root, events=("start-ns", "end-ns")):
        in_scope += 1 if event == "start-ns" else -1
        if in_scope > MAX_DECLARATIONS_IN_SCOPE:
            raise TooLarge(f"more than {MAX_DECLARATIONS_IN_SCOPE} namespace declarations in one scope")
        if event == "start-ns" and len(declared[1]) > MAX_NAMESPACE_CHARACTERS:
            raise TooLarge(f"a namespace name of more than {MAX_NAMESPACE_CHARACTERS} characters")
