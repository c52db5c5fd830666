"""Width and height from a picture's header, and from whatever else somebody sends as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.files.picture_size import picture_size
from tests.domain.band.pictures import gif, jpeg, png, webp

_SIDE = st.integers(1, 16_383)


@given(_SIDE, _SIDE)
def test_every_kind_says_its_size(width, height):
    kinds = [png, gif, jpeg, *(lambda w, h, kind=kind: webp(w, h, kind) for kind in (b"VP8X", b"VP8L", b"VP8 "))]
    for make in kinds:
        assert picture_size(make(width, height)) == (width, height)


def test_a_jpeg_with_much_before_its_frame_is_walked_through():
    segment = b"\xff\xe1\xff\xff" + bytes(65_533)
    assert picture_size(jpeg(3000, 2000, before=segment * 8)) == (3000, 2000)


@pytest.mark.parametrize(
    "content",
    [b"", b"%PDF-1.7", b"\xff\xd8", b"\xff\xd8\xff", b"GIF89a\x01", png(0, 5), jpeg(10, 10)[:30], b"RIFF....WEBPVP8L"],
)
def test_what_has_no_size_is_none(content):
    assert picture_size(content) is None


@given(st.sampled_from([png(9, 9)[:16], b"GIF89a", b"\xff\xd8", b"RIFF....WEBPVP8 ", b"RIFF....WEBPVP8L"]), st.binary())
def test_no_content_breaks_it(start, rest):
    found = picture_size(start + rest)
    assert found is None or min(found) > 0
