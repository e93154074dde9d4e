"""The arithmetic of batches: an order of examples, and where to cut it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUND = 8  # sizes are multiples of it where possible, so that processes share a batch evenly
_RETRIES = 8
_CANDIDATES = 4  # times a batch: how many of those that wait are looked at for one batch


def in_label_groups(labels: NDArray[np.int32], random: np.random.Generator) -> NDArray[np.int64]:
    """A random order of n examples in which those of a label come by twos (or one three).

    Args:
        labels: (n,).
        random: Draws the order.

    Returns:
        (n,) int64 places.
    """
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    starts = np.flatnonzero(np.r_[True, np.diff(labels[order]) != 0])
    sizes = np.diff(np.r_[starts, len(order)])
    ranks = np.arange(len(order)) - np.repeat(starts, sizes)
    # The odd one at a label's end joins the two before it.
    pairs = np.minimum(ranks // 2, np.repeat(np.maximum(sizes // 2, 1) - 1, sizes))
    groups = np.cumsum(np.r_[False, (np.diff(pairs) != 0) | (np.diff(labels[order]) != 0)])
    keys = random.permutation(int(groups[-1]) + 1 if len(groups) else 0)
    return order[np.argsort(keys[groups], kind="stable")]


def spread(
    texts: NDArray[np.int32],
    count: int,
    lots: NDArray[np.float64],
    random: np.random.Generator,
    epoch: int,
) -> NDArray[np.int64]:
    """A random order of n examples in which those that share a text are far apart.

    Each example goes by the more frequent of its texts: the m examples of a text stand at m even
    distances from a random begin. Where m exceeds the batches, the first `count` in an order that
    turns with the epoch are those that will find a place.

    Args:
        texts: (n, 2) the texts that must not come twice.
        count: Into how many batches the order will be cut.
        lots: (n,) drawn for each example, the same in each epoch.
        random: Draws what differs.
        epoch: From 0.

    Returns:
        (n,) int64 places.
    """
    counts = np.bincount(texts.ravel())
    often = np.where(counts[texts[:, 0]] >= counts[texts[:, 1]], texts[:, 0], texts[:, 1])
    same = np.argsort(often, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(often[same]) != 0])
    sizes = np.diff(np.r_[starts, len(same)])
    group = np.repeat(np.arange(len(sizes)), sizes)
    size = sizes[group]
    turning = size > count
    lot = np.where(turning, lots[same], random.random(len(same)))
    within = np.lexsort((lot, group))
    ranks = np.empty(len(same), np.int64)
    ranks[within] = np.arange(len(same)) - starts[group]
    if turning.any():
        # Whose turn it is stands fast; who is first among them does not, or else one that always
        # came after examples of its other text might never find a place.
        turn = np.where(turning, (ranks - epoch * count) % size // count, 0)
        within = np.lexsort((np.where(turning, random.random(len(same)), ranks), turn, group))
        ranks[within] = np.arange(len(same)) - starts[group]
    keys = (ranks + random.random(len(sizes))[group]) / size
    return same[np.argsort(keys, kind="stable")]


def without_duplicates(
    texts: NDArray[np.int32], count: int, batch_size: int
) -> list[NDArray[np.int64]]:
    """Cut an order of examples into batches in which no text is in two examples.

    Args:
        texts: (n, 2) of the examples in their order.
        count: How many batches, at least n / `batch_size`.
        batch_size: The most examples in one.

    Returns:
        For each batch the places of its examples, int64. No example is in two; one is in none
        only if its texts leave it no place.
    """
    texts_end = int(texts.max(initial=0)) + 1
    holder = np.full(texts_end, -1, np.int64)  # the last batch that a text was put in
    first = np.empty(texts_end, np.int64)
    found: list[NDArray[np.int64]] = []
    waiting = np.empty(0, np.int64)
    following, left = 0, len(texts)
    for number in range(count):
        share = -(-left // (count - number))
        room = min(batch_size, -(-share // _ROUND) * _ROUND)
        taken: list[NDArray[np.int64]] = []
        candidates, *rest = np.split(waiting, [_CANDIDATES * batch_size])
        tries = 0
        while True:
            fit, passed_over = _fitting(texts, candidates, holder, first, number, room)
            taken.append(fit)
            room -= len(fit)
            if not room or tries == _RETRIES:
                rest.append(passed_over)
                break
            if following < len(texts):
                rest.append(passed_over)
                end = min(len(texts), following + room)
                candidates, following = np.arange(following, end), end
            else:
                tries = tries + 1 if len(fit) else _RETRIES
                candidates = np.concatenate([*rest, passed_over])
                rest = []
        waiting = np.sort(np.concatenate(rest))
        found.append(np.concatenate(taken))
        left -= len(found[-1])
    _settle(texts, found, np.concatenate([waiting, np.arange(following, len(texts))]), batch_size)
    return found


def _fitting(
    texts: NDArray[np.int32],
    candidates: NDArray[np.int64],
    holder: NDArray[np.int64],
    first: NDArray[np.int64],
    number: int,
    room: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Those of the candidates to put into a batch, at most `room`, and the others."""
    pairs = texts[candidates]
    free = np.flatnonzero((holder[pairs] != number).all(axis=1))
    pairs = pairs[free]
    places = np.arange(len(free))
    # Assigned from last to first: of several examples with a text the first remains.
    first[pairs[::-1].ravel()] = np.repeat(places[::-1], 2)
    alone = free[(first[pairs] == places[:, None]).all(axis=1)][:room]
    holder[texts[candidates[alone]]] = number
    fit = np.zeros(len(candidates), bool)
    fit[alone] = True
    return candidates[fit], candidates[~fit]


def _settle(
    texts: NDArray[np.int32],
    found: list[NDArray[np.int64]],
    homeless: NDArray[np.int64],
    batch_size: int,
) -> None:
    """Put the last examples wherever there is room, or where an exchange makes some."""
    if not len(homeless):
        return
    batch_of = np.repeat(np.arange(len(found)), [len(rows) for rows in found])
    placed = texts[np.concatenate(found)]
    holders: dict[int, set[int]] = {text: set() for text in texts[homeless].ravel().tolist()}
    known = np.isin(placed, texts[homeless])
    for text, number in zip(
        placed[known].tolist(), batch_of[np.nonzero(known)[0]].tolist(), strict=True
    ):
        holders[text].add(number)

    def put(example: int, number: int) -> None:
        found[number] = np.append(found[number], example)
        for text in texts[example].tolist():
            if text in holders:
                holders[text].add(number)

    for example in homeless.tolist():
        mine = [holders[text] for text in texts[example].tolist()]
        if max(map(len, mine)) == len(found):
            continue
        free = sorted(set(range(len(found))).difference(*mine), key=lambda n: len(found[n]))
        if free and len(found[free[0]]) < batch_size:
            put(example, free[0])
            continue
        smallest = min(range(len(found)), key=lambda n: len(found[n]))
        if len(found[smallest]) >= batch_size:
            return
        for number in free[:_RETRIES]:
            movable = ~np.isin(texts[found[number]], texts[found[smallest]]).any(axis=1)
            if movable.any():
                place = int(np.argmax(movable))
                moved = int(found[number][place])
                found[number] = np.delete(found[number], place)
                for text in texts[moved].tolist():
                    if text in holders:
                        holders[text].discard(number)
                put(moved, smallest)
                put(example, number)
                break
