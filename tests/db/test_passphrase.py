"""Keys under a passphrase: opened by it alone, in their own place, and not at any price a stranger names."""

import pytest

from db.archive.passphrase import CHARACTERS, unwrap_under, wrap_under
from db.errors import Invalid

KEY = b"\x07" * 32


@pytest.fixture(scope="module")
def wrapped():
    return wrap_under("p" * CHARACTERS, KEY, "here")


def test_the_passphrase_opens_it_and_no_other_does_nor_at_another_place(wrapped):
    assert unwrap_under("p" * CHARACTERS, wrapped, "here") == KEY
    for passphrase, context in (("q" * CHARACTERS, "here"), ("p" * CHARACTERS, "there")):
        with pytest.raises(Invalid) as refused:
            unwrap_under(passphrase, wrapped, context)
        assert refused.value.code == "passphrase_wrong"
    assert KEY.hex() not in str(wrapped)


def test_a_short_passphrase_is_refused():
    with pytest.raises(Invalid) as refused:
        wrap_under("p" * (CHARACTERS - 1), KEY, "here")
    assert refused.value.code == "passphrase_short"


@pytest.mark.parametrize(
    "changed",
    [{"kdf": "md5"}, {"memory_kib": 2**40}, {"passes": 0}, {"passes": 21}, {"lanes": 0}, {"lanes": "4"}, {"salt": ""},
     {"nonce": "?"}, {"sealed": ""}, {"memory_kib": None}],
)  # fmt: skip
def test_parameters_that_are_unknown_or_beyond_reason_are_refused_unread(wrapped, changed):
    with pytest.raises(Invalid) as refused:
        unwrap_under("p" * CHARACTERS, {**wrapped, **changed}, "here")
    assert refused.value.code == "wrapping_unknown"
