"""A witness cosigns one history of a log and no other, whoever asks, at once or killed in between."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import threading
from http import HTTPStatus
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import checkpoint, notes
from audit.checkpoint import Checkpoint
from audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash
from audit.notes import COSIGNATURE, ED25519, VerifierKey
from audit.proofs import consistency_ranges
from audit.witness import SIZE, Answer, State, Trusted, Witness
from errors import ConfigurationError
from exchange import Environment
from tests.audit.logs import KEY, WITNESS, WITNESS_KEY, begun_witness

ORIGIN = "spolis-gateway/test/01a20000-0000-7000-8000-000000000000"


def leaves(count: int, fork_at: int | None = None) -> list[bytes]:
    """Leaf hashes of a log, which from `fork_at` on is another one."""
    return [
        leaf_hash(f"{number}{'' if fork_at is None or number < fork_at else ' other'}".encode())
        for number in range(count)
    ]


def root(hashes: list[bytes]) -> bytes:
    return Frontier(hashes).root()


def proof(hashes: list[bytes], old: int) -> list[bytes]:
    return [root(hashes[start:end]) for start, end in consistency_ranges(old, len(hashes))]


def signed(hashes: list[bytes], origin: str = ORIGIN, key: Ed25519PrivateKey = KEY) -> Checkpoint:
    return Checkpoint(origin, len(hashes), root(hashes)).signed(key)


def request(old: int, path: list[bytes], note: str) -> bytes:
    lines = [f"old {old}", *(base64.b64encode(one).decode() for one in path)]
    return ("\n".join(lines) + f"\n\n{note}").encode()


def ask(witness: Witness, old: int, hashes: list[bytes]) -> Answer:
    return witness.add_checkpoint(request(old, proof(hashes, old), signed(hashes).note()))


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return begun_witness(tmp_path / "state.json")


def test_it_cosigns_what_goes_on(witness: Witness) -> None:
    for old, new in ((0, 1), (1, 1), (1, 5), (5, 8), (8, 13)):
        answer = ask(witness, old, leaves(new))
        assert answer.status == HTTPStatus.OK
        signature = notes.parse_line(answer.text.removesuffix("\n"))
        text = signed(leaves(new)).body().decode()
        assert WITNESS.check(text, signature) == 1_700_000_000
    held = notes.parse(witness.held()[ORIGIN])
    assert checkpoint.read(held).size == 13
    assert held.signed_by([WITNESS])
    assert held.signed_by([VerifierKey(ORIGIN, ED25519, KEY.public_key())])


def test_the_cosigned_message_is_that_of_the_specification(witness: Witness) -> None:
    """Written out here by hand from C2SP tlog-cosignature, so that both sides cannot be wrong together."""
    signature = notes.parse_line(ask(witness, 0, leaves(3)).text[:-1])
    material = WITNESS.name.encode() + b"\n\x04" + WITNESS_KEY.public_key().public_bytes_raw()
    assert signature.key == hashlib.sha256(material).digest()[:4]
    stamp, blob = signature.signature[:8], signature.signature[8:]
    assert int.from_bytes(stamp, "big") == 1_700_000_000
    message = f"cosignature/v1\ntime 1700000000\n{ORIGIN}\n3\n{base64.b64encode(root(leaves(3))).decode()}\n"
    WITNESS_KEY.public_key().verify(blob, message.encode())


def test_the_published_key_of_a_log_is_read() -> None:
    text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    key = notes.parse_key(text)
    assert (key.name, key.kind, str(key)) == ("sum.golang.org", ED25519, text)
    with pytest.raises(ValueError, match="id"):
        notes.parse_key(text.replace("033de0ae", "033de0af"))


def test_another_size_than_its_last_is_told_which_it_is(witness: Witness) -> None:
    ask(witness, 0, leaves(5))
    for old in (0, 3, 4):
        answer = ask(witness, old, leaves(8))
        assert (answer.status, answer.content_type, answer.text) == (HTTPStatus.CONFLICT, SIZE, "5\n")
    assert ask(witness, 7, leaves(8)).status == HTTPStatus.CONFLICT
    assert ask(witness, 5, leaves(8)).status == HTTPStatus.OK


def test_another_history_is_not_cosigned(witness: Witness) -> None:
    ask(witness, 0, leaves(5))
    for forked in (leaves(5, fork_at=4), leaves(8, fork_at=4), leaves(8, fork_at=0)):
        assert ask(witness, 5, forked).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert checkpoint.read(notes.parse(witness.held()[ORIGIN])).root == root(leaves(5))


def test_a_smaller_tree_is_not_cosigned(witness: Witness) -> None:
    ask(witness, 0, leaves(8))
    assert witness.add_checkpoint(request(8, [], signed(leaves(5)).note())).status == HTTPStatus.BAD_REQUEST
    assert witness.add_checkpoint(request(5, [], signed(leaves(5)).note())).status == HTTPStatus.CONFLICT


def test_the_empty_tree_has_one_root(witness: Witness) -> None:
    bad = Checkpoint(ORIGIN, 0, bytes(32)).signed(KEY).note()
    assert witness.add_checkpoint(request(0, [], bad)).status == HTTPStatus.UNPROCESSABLE_ENTITY
    good = Checkpoint(ORIGIN, 0, EMPTY_ROOT).signed(KEY).note()
    assert witness.add_checkpoint(request(0, [], good)).status == HTTPStatus.OK
    with_proof = request(0, [bytes(32)], signed(leaves(3)).note())
    assert witness.add_checkpoint(with_proof).status == HTTPStatus.UNPROCESSABLE_ENTITY


def test_whom_it_does_not_know(witness: Witness) -> None:
    other = Ed25519PrivateKey.generate()
    elsewhere = signed(leaves(3), "example.com/log", other).note()
    assert witness.add_checkpoint(request(0, [], elsewhere)).status == HTTPStatus.NOT_FOUND
    forged = signed(leaves(3), ORIGIN, other).note()
    assert witness.add_checkpoint(request(0, [], forged)).status == HTTPStatus.FORBIDDEN
    good = signed(leaves(3))
    broken = notes.Signature(ORIGIN, good.signatures[0].key, bytes(64)).line()
    assert witness.add_checkpoint(request(0, [], good.note() + broken)).status == HTTPStatus.FORBIDDEN
    assert witness.held() == {}
    unknown = notes.Signature("example.com/x", b"abcd", bytes(64)).line()
    assert witness.add_checkpoint(request(0, [], good.note() + unknown)).status == HTTPStatus.OK


def test_a_foreign_log_by_its_verifier_key(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    state = State(tmp_path / "state.json")
    state.begin(WITNESS)
    named = VerifierKey("example.com/behind-the-sofa", ED25519, key.public_key())
    witness = Witness(state, WITNESS_KEY, Trusted(logs=(named,)))
    # With an extension line, which is signed and cosigned as it is.
    text = f"{named.name}\n3\n{base64.b64encode(root(leaves(3))).decode()}\nextended\n"
    note = f"{text}\n{notes.Signature(named.name, named.id, key.sign(text.encode())).line()}"
    answer = witness.add_checkpoint(request(0, [], note))
    assert answer.status == HTTPStatus.OK
    WITNESS.check(text, notes.parse_line(answer.text[:-1]))
    assert ask(witness, 0, leaves(3)).status == HTTPStatus.NOT_FOUND, "a gateway that nobody told it of"


def test_a_gateway_of_the_other_environment_is_unknown() -> None:
    trusted = Trusted(gateways=((KEY.public_key(), Environment.PRODUCTION),))
    assert trusted.keys(ORIGIN) == ()
    assert len(trusted.keys(ORIGIN.replace("/test/", "/production/"))) == 1
    assert trusted.keys("spolis-gateway/production/x\ny") == ()


GOOD = signed(leaves(3)).note()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n\n",
        f"old 0\n{GOOD}".encode(),
        f"old 00\n\n{GOOD}".encode(),
        f"old -1\n\n{GOOD}".encode(),
        f"old 0 \n\n{GOOD}".encode(),
        f"new 0\n\n{GOOD}".encode(),
        f"old 0\r\n\r\n{GOOD}".encode(),
        f"old 0\nxx\n\n{GOOD}".encode(),
        f"old 0\nAAAA\n\n{GOOD}".encode(),
        f"old 9999999999999999999999\n\n{GOOD}".encode(),
        f"old 4\n\n{GOOD}".encode(),
        f"old 0\n\n{GOOD[:-1]}".encode(),
        f"old 0\n\n{GOOD}\x00".encode(),
        f"old 0\n\n{GOOD}".encode() + b"\xff",
        f"old 0\n\n{GOOD.replace(chr(0x2014), '-')}".encode(),
        f"old 0\n\n{GOOD.replace(chr(10) + '3' + chr(10), chr(10) + '03' + chr(10))}".encode(),
        request(3, [bytes(32)] * 64, GOOD),
    ],
)
def test_what_is_malformed(witness: Witness, body: bytes) -> None:
    assert witness.add_checkpoint(body).status == HTTPStatus.BAD_REQUEST
    assert witness.held() == {}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_other_proof_than_the_right_one(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Hashes of the proof dropped, added, swapped, changed, or those of another history: never cosigned."""
    new = data.draw(st.integers(2, 20))
    old = data.draw(st.integers(1, new - 1))
    right = proof(leaves(new), old)
    change = data.draw(st.sampled_from(["drop", "add", "swap", "flip", "fork", "reversed nodes"]))
    hashes, path = leaves(new), list(right)
    if change == "drop":
        path.pop(data.draw(st.integers(0, len(path) - 1)))
    elif change == "add":
        path.insert(data.draw(st.integers(0, len(path))), data.draw(st.sampled_from([*right, bytes(32)])))
    elif change == "swap":
        one, other = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, len(path) - 1))
        path[one], path[other] = path[other], path[one]
    elif change == "flip":
        at, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
        path[at] = (int.from_bytes(path[at], "big") ^ 1 << bit).to_bytes(32, "big")
    elif change == "fork":
        hashes = leaves(new, fork_at=data.draw(st.integers(0, old - 1)))
        path = proof(hashes, old)
    else:
        path = [node_hash(path[0], path[0]), *path[1:]]
    witness = begun_witness(tmp_path_factory.mktemp("witness") / "state.json")
    assert ask(witness, 0, leaves(old)).status == HTTPStatus.OK
    answer = witness.add_checkpoint(request(old, path, signed(hashes).note()))
    if path == right and hashes == leaves(new):
        assert answer.status == HTTPStatus.OK
    else:
        assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
        assert checkpoint.read(notes.parse(witness.held()[ORIGIN])).size == old


def test_of_many_histories_at_once_one_is_cosigned(tmp_path: Path) -> None:
    """Twelve threads with a witness each, as processes have them, on one state; each brings another history."""
    path = tmp_path / "state.json"
    begun_witness(path)
    together, answers = threading.Barrier(12), list[tuple[int, HTTPStatus]]()

    def bring(number: int) -> None:
        witness = begun_witness(path)
        hashes = [leaf_hash(f"{number}".encode())] * 5
        together.wait()
        answers.append((number, ask(witness, 0, hashes).status))

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (first,) = [number for number, status in answers if status == HTTPStatus.OK]
    assert [status for _, status in answers].count(HTTPStatus.CONFLICT) == 11
    held = checkpoint.read(notes.parse(begun_witness(path).held()[ORIGIN]))
    assert held.root == root([leaf_hash(f"{first}".encode())] * 5)


def test_killed_between_writing_and_answering_it_has_not_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    begun_witness(path)
    child = os.fork()
    if child == 0:
        witness = begun_witness(path, written=lambda: os.kill(os.getpid(), signal.SIGKILL))
        ask(witness, 0, leaves(5))
        os._exit(0)  # it never comes to this
    _, ended = os.waitpid(child, 0)
    assert os.WTERMSIG(ended) == signal.SIGKILL
    again = begun_witness(path)
    assert ask(again, 0, leaves(5, fork_at=2)).text == "5\n"
    assert ask(again, 5, leaves(5, fork_at=2)).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert ask(again, 5, leaves(5)).status == HTTPStatus.OK, "whoever heard no answer asks again"


def test_a_state_that_is_lost_or_anothers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with pytest.raises(ConfigurationError, match="bring it back"):
        Witness(State(path), WITNESS_KEY, Trusted())
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match="bring it back"):
        Witness(State(path), WITNESS_KEY, Trusted())
    State(path).begin(WITNESS)
    with pytest.raises(ConfigurationError, match="another key"):
        Witness(State(path), Ed25519PrivateKey.generate(), Trusted())


def test_whoever_has_a_gateways_key_cannot_name_logs_without_end(tmp_path: Path) -> None:
    state = State(tmp_path / "state.json")
    state.begin(WITNESS)
    state.write(WITNESS, {f"log {number}": "" for number in range(1000)})
    assert ask(begun_witness(state.path), 0, leaves(3)).status == HTTPStatus.NOT_FOUND


def test_a_key_of_a_log_is_no_key_of_a_witness() -> None:
    public: Ed25519PublicKey = KEY.public_key()
    note = notes.parse(GOOD)
    with pytest.raises(ValueError, match="another key"):
        VerifierKey(ORIGIN, COSIGNATURE, public).check(note.text, note.signatures[0])
