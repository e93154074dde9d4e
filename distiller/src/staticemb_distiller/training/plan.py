"""The arithmetic of batches: orders of examples, and their division into batches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUND = 8  # sizes are multiples of this where possible, so that processes share a batch evenly
_RETRIES = 8
_CANDIDATES = 4  # waiting examples that are tried for one batch, in multiples of its size


def in_label_groups(labels: NDArray[np.int32], random: np.random.Generator) -> NDArray[np.int64]:
    """Draw a random order of n examples in which examples of equal labels stand in pairs.

    A label with an odd number of examples has one group of three.

    Args:
        labels: (n,) the examples' labels.
        random: The source of random numbers.

    Returns:
        (n,) int64, the examples' indices in the new order.
    """
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    starts = np.flatnonzero(np.r_[True, np.diff(labels[order]) != 0])
    sizes = np.diff(np.r_[starts, len(order)])
    ranks = np.arange(len(order)) - np.repeat(starts, sizes)
    # The last example of a label with an odd number joins the pair before it.
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
    """Draw a random order of n examples in which examples with a common text are far apart.

    The more frequent text of an example determines its position: the m examples of a text are
    evenly spaced from a random start. If m exceeds the number of batches, only `count` of them fit
    into the epoch. These come first, and rotate from epoch to epoch.

    Args:
        texts: (n, 2) the texts that no batch may hold twice.
        count: The number of batches.
        lots: (n,) a random number for each example, the same in each epoch.
        random: The source of random numbers that differ between epochs.
        epoch: The epoch's number, from 0.

    Returns:
        (n,) int64, the examples' indices in the new order.
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
        # The epoch determines which examples come first, but their order is random: in a fixed
        # order, an example that always follows examples of its other text might never fit.
        turn = np.where(turning, (ranks - epoch * count) % size // count, 0)
        within = np.lexsort((np.where(turning, random.random(len(same)), ranks), turn, group))
        ranks[within] = np.arange(len(same)) - starts[group]
    keys = (ranks + random.random(len(sizes))[group]) / size
    return same[np.argsort(keys, kind="stable")]


def without_duplicates(
    texts: NDArray[np.int32], count: int, batch_size: int
) -> list[NDArray[np.int64]]:
    """Divide an order of examples into batches in which no two examples share a text.

    Args:
        texts: (n, 2) the texts of the examples in their order.
        count: The number of batches, at least n / `batch_size`.
        batch_size: The largest number of examples in a batch.

    Returns:
        For each batch the indices of its examples, int64. No example is in two batches. An example
        is in no batch only if its texts fit into none.
    """
    texts_end = int(texts.max(initial=0)) + 1
    holder = np.full(texts_end, -1, np.int64)  # the last batch that holds a text
    first = np.empty(texts_end, np.int64)
    batches: list[NDArray[np.int64]] = []
    waiting = np.empty(0, np.int64)
    following, remaining = 0, len(texts)
    for number in range(count):
        share = -(-remaining // (count - number))
        room = min(batch_size, -(-share // _ROUND) * _ROUND)
        parts: list[NDArray[np.int64]] = []
        candidates, *rest = np.split(waiting, [_CANDIDATES * batch_size])
        tries = 0
        while True:
            fit, passed_over = _fitting(texts, candidates, holder, first, number, room)
            parts.append(fit)
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
        batches.append(np.concatenate(parts))
        remaining -= len(batches[-1])
    unplaced = np.concatenate([waiting, np.arange(following, len(texts))])
    _place_rest(texts, batches, unplaced, batch_size)
    return batches


def _fitting(
    texts: NDArray[np.int32],
    candidates: NDArray[np.int64],
    holder: NDArray[np.int64],
    first: NDArray[np.int64],
    number: int,
    room: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split candidates into those that fit into a batch, at most `room`, and the others."""
    pairs = texts[candidates]
    free = np.flatnonzero((holder[pairs] != number).all(axis=1))
    pairs = pairs[free]
    places = np.arange(len(free))
    # Assigned from last to first, so that the first example with a text remains.
    first[pairs[::-1].ravel()] = np.repeat(places[::-1], 2)
    chosen = free[(first[pairs] == places[:, None]).all(axis=1)][:room]
    holder[texts[candidates[chosen]]] = number
    fit = np.zeros(len(candidates), bool)
    fit[chosen] = True
    return candidates[fit], candidates[~fit]


def _place_rest(
    texts: NDArray[np.int32],
    batches: list[NDArray[np.int64]],
    unplaced: NDArray[np.int64],
    batch_size: int,
) -> None:
    """Add the remaining examples to batches with room, or make room by moving another example."""
    if not len(unplaced):
        return
    batch_of = np.repeat(np.arange(len(batches)), [len(rows) for rows in batches])
    placed = texts[np.concatenate(batches)]
    holders: dict[int, set[int]] = {text: set() for text in texts[unplaced].ravel().tolist()}
    shared = np.isin(placed, texts[unplaced])
    for text, number in zip(
        placed[shared].tolist(), batch_of[np.nonzero(shared)[0]].tolist(), strict=True
    ):
        holders[text].add(number)

    def put(example: int, number: int) -> None:
        batches[number] = np.append(batches[number], example)
        for text in texts[example].tolist():
            if text in holders:
                holders[text].add(number)

    for example in unplaced.tolist():
        conflicts = [holders[text] for text in texts[example].tolist()]
        if max(map(len, conflicts)) == len(batches):
            continue
        free = sorted(
            set(range(len(batches))).difference(*conflicts), key=lambda n: len(batches[n])
        )
        if free and len(batches[free[0]]) < batch_size:
            put(example, free[0])
            continue
        smallest = min(range(len(batches)), key=lambda n: len(batches[n]))
        if len(batches[smallest]) >= batch_size:
            return
        for number in free[:_RETRIES]:
            movable = ~np.isin(texts[batches[number]], texts[batches[smallest]]).any(axis=1)
            if movable.any():
                place = int(np.argmax(movable))
                moved = int(batches[number][place])
                batches[number] = np.delete(batches[number], place)
                for text in texts[moved].tolist():
                    if text in holders:
                        holders[text].discard(number)
                put(moved, smallest)
                put(example, number)
                break
