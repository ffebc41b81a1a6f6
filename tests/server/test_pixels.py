"""Whose pixels a token opens, and for how long."""

from server.pixels import PixelStore


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def store(lifetime=100.0):
    clock = Clock()
    return PixelStore(lifetime, clock), clock


def test_a_token_opens_for_its_own_reader_only():
    pixels, _ = store()
    (token,) = pixels.lend([b"film"], "reader", "session")
    assert pixels.get(token, "reader") == b"film"
    assert (
        pixels.get(token, "another") is None
        and pixels.get(token, None) is None
        and pixels.get("unknown", "reader") is None
    )


def test_a_token_ends_and_lets_go_of_its_bytes():
    pixels, clock = store()
    (token,) = pixels.lend([b"film"], "reader", "session")
    clock.now = 100.0
    assert pixels.get(token, "reader") is None and pixels.renewed([token]) is None
    pixels.forget_ended()
    assert pixels._lent == {}


def test_a_page_that_runs_again_gets_new_tokens_once_half_their_life_is_over():
    pixels, clock = store()
    tokens = pixels.lend([b"film", b"map"], "reader", "session")
    clock.now = 49.0
    assert pixels.renewed(tokens) == tokens
    clock.now = 60.0
    new = pixels.renewed(tokens)
    assert not set(new) & set(tokens) and [pixels.get(token, "reader") for token in new] == [b"film", b"map"]
    assert pixels.get(tokens[0], "reader") == b"film", "it may be on its way"
    clock.now = 75.0
    assert pixels.get(tokens[0], "reader") is None
    clock.now = 155.0
    assert pixels.get(new[0], "reader") == b"film"


def test_tokens_cannot_be_guessed_from_one_another():
    pixels, _ = store()
    tokens = pixels.lend([b"a"] * 1000, None, "session")
    assert len(set(tokens)) == 1000 and all(len(token) >= 32 for token in tokens)


def test_what_a_session_was_lent_goes_with_it():
    pixels, _ = store()
    (mine,), (other,) = pixels.lend([b"a"], "reader", "one"), pixels.lend([b"b"], "reader", "two")
    pixels.forget_session("one")
    assert pixels.get(mine, "reader") is None and pixels.get(other, "reader") == b"b"


class Slices:
    """Something in parts, that counts which are written."""

    def __init__(self, count, size):
        self.count, self.size, self.written = count, size, []

    def __len__(self):
        return self.count

    def part(self, index):
        self.written.append(index)
        return bytes([index]) * self.size


def test_a_volume_is_fetched_in_parts_and_written_only_when_asked_for():
    pixels, clock = store()
    slices = Slices(5, 3)
    (token,) = pixels.lend([slices], "reader", "session")
    assert slices.written == []
    assert pixels.get(token, "reader", (4, 1)) == b"\x04\x04\x04"
    assert pixels.get(token, "reader", (1, 2)) == b"\x01\x01\x01\x02\x02\x02"
    assert slices.written == [4, 1, 2]
    for parts in (None, (5, 1), (4, 2), (0, 6), (0, 0), (2, -1)):
        assert pixels.get(token, "reader", parts) is None
    assert pixels.get(token, "another", (0, 1)) is None
    (film,) = pixels.lend([b"film"], "reader", "session")
    assert pixels.get(film, "reader", (0, 1)) is None
    clock.now = 60.0
    (new,) = pixels.renewed([token])
    assert new != token and pixels.get(new, "reader", (0, 1)) == b"\x00\x00\x00"


def test_no_message_holds_more_of_a_volume_than_a_few_megabytes():
    pixels, _ = store()
    (token,) = pixels.lend([Slices(40, 1 << 20)], "reader", "session")
    assert len(pixels.get(token, "reader", (0, 4))) == 4 << 20
    assert pixels.get(token, "reader", (0, 5)) is None and pixels.get(token, "reader", (0, 40)) is None
    (large,) = pixels.lend([Slices(2, 8 << 20)], "reader", "session")
    assert len(pixels.get(large, "reader", (1, 1))) == 8 << 20, "one slice is never refused for its size"
