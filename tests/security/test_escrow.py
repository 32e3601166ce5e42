"""Any K of N open the bundle, fewer nothing; whatever is damaged or of another set is named."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InvalidRequest
from exchange import utc_now
from security import escrow

FILES = {"master.key": bytes(range(32)), "log.pub": b"public\n", "gateway.key": b"k" * 1700}
NOW = utc_now()
BUNDLE, SHARES = escrow.split(FILES, threshold=3, shares=5, made_at=NOW)
OUTSIDE = escrow.read_bundle(BUNDLE)


def printed(number: int) -> str:
    return SHARES[number - 1].text(OUTSIDE.made_at)


def read(*numbers: int) -> list[escrow.Share]:
    return [share for number in numbers for share in escrow.read_shares(printed(number), f"share {number}")]


@pytest.mark.parametrize("numbers", list(itertools.combinations(range(1, 6), 3)))
def test_any_three_of_five_open_it(numbers: tuple[int, ...]) -> None:
    assert escrow.open_with_shares(OUTSIDE, read(*numbers)) == FILES


def test_more_than_needed_open_it_too_and_one_given_twice_counts_once() -> None:
    assert escrow.open_with_shares(OUTSIDE, read(5, 1, 2, 3, 4)) == FILES
    with pytest.raises(InvalidRequest, match="3 different shares are needed, 2 are here"):
        escrow.open_with_shares(OUTSIDE, read(1, 1, 2))


def test_two_shares_and_every_guess_at_a_third_number_do_not_open_it() -> None:
    first, second = read(1, 2)
    for number in (3, 4, 5):
        guess = escrow.Share(first.set_id, 3, 5, number, bytes(32))
        with pytest.raises(InvalidRequest, match="do not open"):
            escrow.open_with_shares(OUTSIDE, [first, second, guess])


def test_no_set_has_an_id_that_is_masked_as_a_personal_code() -> None:
    ids = [escrow._new_set_id() for _ in range(300)]
    assert [InvalidRequest(one).detail for one in ids] == ids


def test_a_share_of_another_set_is_named() -> None:
    _, others = escrow.split(FILES, threshold=3, shares=5, made_at=NOW)
    with pytest.raises(InvalidRequest, match=f"share 2 is of set {others[1].set_id}"):
        escrow.open_with_shares(OUTSIDE, [*read(1, 3), others[1]])


@given(st.data())
def test_a_mistyped_letter_is_found_with_its_line(data: st.DataObject) -> None:
    lines = printed(2).splitlines()
    typed = [n for n, line in enumerate(lines) if line[:1] in "1234" and line[1:3] == "  "]
    at = data.draw(st.sampled_from(typed))
    places = [n for n, letter in enumerate(lines[at]) if n > 2 and letter != " "]
    place = data.draw(st.sampled_from(places))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    other = data.draw(st.sampled_from([letter for letter in letters if letter != lines[at][place]]))
    lines[at] = lines[at][:place] + other + lines[at][place + 1 :]
    # One in 1,024 mistyped lines passes its own check and is caught by that of the whole share.
    with pytest.raises(InvalidRequest, match=f"line {lines[at][0]} of the share|the share is damaged"):
        escrow.read_shares("\n".join(lines), "typed")


def test_lines_of_two_shares_do_not_pass_for_one() -> None:
    first, second = printed(1).splitlines(), printed(2).splitlines()
    with pytest.raises(InvalidRequest, match="of different shares"):
        escrow.read_shares("\n".join([*first[:-1], second[-1]]), "typed")


def test_a_line_that_is_missing_is_told() -> None:
    with pytest.raises(InvalidRequest, match="3 are here"):
        escrow.read_shares("\n".join(printed(1).splitlines()[:-1]), "typed")


def test_spaces_dashes_and_small_letters_do_not_matter() -> None:
    text = "\n".join(line.lower().replace("  ", " - ") for line in printed(4).splitlines()[3:])
    assert escrow.read_shares(text, "typed") == [SHARES[3]]


def test_a_bundle_that_was_changed_does_not_open() -> None:
    for before, after in ((b'"threshold": 3', b'"threshold": 2'), (b"master.key", b"muster.key")):
        changed = escrow.read_bundle(BUNDLE.replace(before, after))
        with pytest.raises(InvalidRequest):
            escrow.open_with_shares(changed, read(1, 2, 3))


def test_a_bundle_tells_what_is_in_it_and_nothing_of_the_keys() -> None:
    assert OUTSIDE.files == escrow.digests(FILES)
    assert (OUTSIDE.threshold, OUTSIDE.shares, OUTSIDE.opened_by) == (3, 5, "shares")
    assert b"k" * 64 not in BUNDLE


def test_a_passphrase_opens_its_bundle_only() -> None:
    sealed = escrow.read_bundle(escrow.seal(FILES, "a long invented phrase", made_at=NOW))
    assert sealed.opened_by == "passphrase"
    assert escrow.open_with_passphrase(sealed, "a long invented phrase") == FILES
    with pytest.raises(InvalidRequest, match="does not open"):
        escrow.open_with_passphrase(sealed, "another long phrase")
    with pytest.raises(InvalidRequest, match="16 characters"):
        escrow.seal(FILES, "short", made_at=NOW)
    with pytest.raises(InvalidRequest, match="passphrase opens"):
        escrow.open_with_shares(sealed, read(1, 2, 3))


@pytest.mark.parametrize(("threshold", "shares"), [(1, 3), (4, 3), (2, 17)])
def test_a_split_that_protects_nothing_is_refused(threshold: int, shares: int) -> None:
    with pytest.raises(InvalidRequest):
        escrow.split(FILES, threshold=threshold, shares=shares, made_at=NOW)
