"""The running checksum of SQLite's write-ahead log. Knows words and sums; not frames, files or pages' meaning.

For each pair of 32-bit words: `s0 += x0 + s1; s1 += x1 + s0`, modulo 2^32. One pass is a linear map of (s0, s1), given
by powers of [[1, 1], [1, 2]], whose entries are Fibonacci numbers. So a page need not be walked word by word in Python:
the pairs lie side by side in 64-bit lanes of one long integer, and the earlier half, multiplied by one power, is added
to the later half until a single pair is left. Exact, and several times faster than the loop.
Source: sqlite.org/fileformat2.html, "Checksum Algorithm".
"""

from array import array
from functools import cache

Sums = tuple[int, int]

_WORD = 0xFFFFFFFF
_LANE_BITS = 64
_STEP = tuple[int, int, int, int, int, int]


def extend(sums: Sums, data: bytes | memoryview, *, big_endian: bool) -> Sums:
    """The sums after `data`, continuing from `sums`. data: a whole number of 8-byte pairs.

    big_endian: how the words are read; the first four bytes of the log say which.
    """
    if big_endian:
        swapped = array("I", bytes(data))
        swapped.byteswap()
        data = swapped.tobytes()
    if len(data) == 8:
        return _extend_pair(sums, int.from_bytes(data, "little"))
    rest = len(data) & -len(data)
    if rest != len(data):  # not a power of two: take the pieces that are, smallest first
        return extend(extend(sums, data[:rest], big_endian=False), data[rest:], big_endian=False)
    first_lanes, power, steps = _plan(len(data) // 8)
    return _fold(sums, int.from_bytes(data, "little"), first_lanes, power, steps)


def _extend_pair(sums: Sums, pair: int) -> Sums:
    s0 = (sums[0] + (pair & _WORD) + sums[1]) & _WORD
    return s0, (sums[1] + (pair >> 32) + s0) & _WORD


def _fold(sums: Sums, words: int, lanes: int, power: Sums, steps: tuple[_STEP, ...]) -> Sums:
    first = words & lanes
    second = (first + (words >> 32 & lanes)) & lanes
    for shift, low, words_of_half, p, q, r in steps:
        early_first, early_second = first & low, second & low
        # each product is cut to its word before the sum, or three of them would overflow into the next lane
        first = (
            (p * early_first & words_of_half) + (q * early_second & words_of_half) + (first >> shift)
        ) & words_of_half
        second = (
            (q * early_first & words_of_half) + (r * early_second & words_of_half) + (second >> shift)
        ) & words_of_half
    p, q = power
    s0, s1 = sums
    return (p * s0 + q * s1 + first) & _WORD, (q * s0 + (p + q) * s1 + second) & _WORD


@cache
def _plan(pairs: int) -> tuple[int, Sums, tuple[_STEP, ...]]:
    """For a power of two: the mask of the words, the power for all pairs, and one step for each halving."""
    steps: list[_STEP] = []
    half = pairs // 2
    while half:
        p, q = _power(half)
        shift = _LANE_BITS * half
        steps.append((shift, (1 << shift) - 1, _word_of_each_lane(half), p, q, (p + q) & _WORD))
        half //= 2
    return _word_of_each_lane(pairs), _power(pairs), tuple(steps)


def _power(exponent: int) -> Sums:
    """First row of [[1, 1], [1, 2]] to that power, modulo 2^32; the matrix is [[p, q], [q, p + q]]."""
    p, q = 1, 0
    for _ in range(exponent):
        p, q = (p + q) & _WORD, (p + 2 * q) & _WORD
    return p, q


def _word_of_each_lane(lanes: int) -> int:
    return int.from_bytes(b"\xff\xff\xff\xff\0\0\0\0" * lanes, "little")
