"""Measures of a ranking, an answer or a confidence. Pure functions of one question each; the caller takes means.

A ranking lists ids, best first, without repeats. `judged` maps ids to grades; a grade above 0 means relevant. Ranking
measures are those of trec_eval, answer measures those of SQuAD, and an answer is found in a text as in DPR.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 1000
GROUP_RESAMPLES = 4000  # for decisions, which need a stable 2.5 % quantile
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_END = "\0"  # a control character, so no token contains it


def ordered(scores: Mapping[str, float]) -> list[str]:
    """Rank ids by score; ties by id in descending order, as trec_eval does."""
    return sorted(sorted(scores, reverse=True), key=lambda id: -scores[id])


def hit(ranking: Sequence[str], judged: Mapping[str, int], k: int) -> float:
    """Return 1 if anything relevant is among the first k."""
    return float(any(judged.get(id, 0) > 0 for id in ranking[:k]))


def recall(ranking: Sequence[str], judged: Mapping[str, int], k: int) -> float:
    """Return the share of the relevant ids among the first k; 0 if nothing is relevant."""
    relevant = {id for id, grade in judged.items() if grade > 0}
    return len(relevant.intersection(ranking[:k])) / max(1, len(relevant))


def complete(ranking: Sequence[str], judged: Mapping[str, int], k: int) -> float:
    """Return 1 if all relevant ids are among the first k; a two-hop question needs both."""
    relevant = {id for id, grade in judged.items() if grade > 0}
    return float(bool(relevant) and relevant.issubset(ranking[:k]))


def ndcg(ranking: Sequence[str], judged: Mapping[str, int], k: int = 10) -> float:
    """Return the discounted gain of the first k as a share of the best possible; the gain is the grade itself.

    >>> round(ndcg(["b", "a"], {"a": 2, "b": 1}), 4)
    0.8597
    """
    best = _discounted(sorted(judged.values(), reverse=True)[:k])
    return _discounted([judged.get(id, 0) for id in ranking[:k]]) / best if best else 0.0


def reciprocal_rank(ranking: Sequence[str], judged: Mapping[str, int], k: int = 10) -> float:
    """Return 1 / the rank of the first relevant id among the first k, or 0."""
    return next((1 / rank for rank, id in enumerate(ranking[:k], 1) if judged.get(id, 0) > 0), 0.0)


def words_of(text: str) -> str:
    """Cut a text as DPR does: runs of letters, digits and marks, other visible characters alone, lower case, NFD.

    The words are one string with a separator on both sides of each, so that searching words is searching a substring.
    """
    words: list[str] = []
    before = ""
    for character in unicodedata.normalize("NFD", text):
        kind = _kind(character)
        if kind == "word" and before == "word":
            words[-1] += character
        elif kind:
            words.append(character)
        before = kind
    return _END + _END.join(words).lower() + _END


def has_answer(words: str, answers: Sequence[str]) -> bool:
    """Return whether the words of any answer occur consecutively in the result of `words_of`."""
    wanted = (words_of(answer) for answer in answers)
    return any(answer in words for answer in wanted if answer != _END + _END)


def exact_match(answer: str, answers: Sequence[str]) -> float:
    """Return 1 if the answer equals an accepted one, ignoring case, punctuation and articles."""
    return float(normal(answer) in map(normal, answers))


def f1(answer: str, answers: Sequence[str]) -> float:
    """Return the harmonic mean of precision and recall of words, for the best matching accepted answer."""
    return max((_overlap(normal(answer).split(), normal(accepted).split()) for accepted in answers), default=0.0)


def calibration_error(confidences: ArrayLike, right: ArrayLike, bins: int = 10) -> float:
    """Return the expected calibration error: the mean gap between confidence and accuracy over bins of equal width."""
    said, were = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    place = np.minimum((said * bins).astype(np.int64), bins - 1)
    gaps = np.abs(
        np.bincount(place, said, bins) - np.bincount(place, were, bins)
    )  # each multiplied by the size of its bin
    return float(gaps.sum() / max(1, len(said)))


def auroc(scores: ArrayLike, right: ArrayLike) -> float | None:
    """Return how often a right one scores above a wrong one; ties count half. None if all are right, or all wrong."""
    values, is_right = np.asarray(scores, np.float64), np.asarray(right, bool)
    wrong = np.sort(values[~is_right])
    if not is_right.any() or not len(wrong):
        return None
    below, upto = (np.searchsorted(wrong, values[is_right], side) for side in ("left", "right"))
    return float((below + upto).mean() / 2 / len(wrong))


def interval(values: ArrayLike, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Return the bootstrap confidence interval of a mean: quantiles of the means of resampled questions."""
    of = np.asarray(values, np.float64)
    random = np.random.default_rng(seed)
    means = [of[random.integers(0, len(of), len(of))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_interval(after: ArrayLike, before: ArrayLike, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Return the same for the mean difference on the same questions; each is drawn with both its values."""
    difference: NDArray[np.float64] = np.subtract(after, before, dtype=np.float64)
    return interval(difference, seed, level)


def group_interval(values: ArrayLike, groups: Sequence[str], seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Return the bootstrap interval of a mean over questions when whole groups of them are drawn.

    With few groups, plain quantiles are too narrow (with four groups, one null in ten lies outside at one end). So more
    extreme quantiles are used, as Student's t is wider than the normal (Hesterberg 2015, "expanded percentile").
    """
    sums, sizes = _by_group(values, groups)  # (G,)
    count = len(sums)
    random = np.random.default_rng(seed)
    drawn = (random.multinomial(count, np.full(count, 1 / count), rows) for rows in _blocks(GROUP_RESAMPLES))
    means = np.concatenate([(times @ sums) / (times @ sizes) for times in drawn])
    tail = _expanded_tail((1 - level) / 2, count)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def chance_of_gain(values: ArrayLike, groups: Sequence[str], seed: int = 0) -> float:
    """Return the probability of such a large mean difference if before and after were exchanged at random, by group.

    A randomisation test. It is exact for any number of groups, and when only a few questions differ; there a bootstrap
    treats four groups that happen to agree as certain. Groups without a difference have no influence. With fewer than
    six other groups the result is never below 0.0156.
    """
    sums, _ = _by_group(values, groups)
    moved = sums[sums != 0]
    random = np.random.default_rng(seed)
    signs = (random.integers(0, 2, (rows, len(moved)), np.int8) * 2 - 1 for rows in _blocks(GROUP_RESAMPLES))
    least = moved.sum() * (1 - 1e-12) if moved.sum() > 0 else moved.sum()  # equal sums, added in another order
    as_large = sum(int(np.count_nonzero(each @ moved >= least)) for each in signs)
    return (as_large + 1) / (GROUP_RESAMPLES + 1)


def _by_group(values: ArrayLike, groups: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up the values of each group, and count them."""
    _, places = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    sums: NDArray[np.float64] = np.bincount(places, np.asarray(values, np.float64)).astype(np.float64)
    return sums, np.bincount(places).astype(np.float64)


def _blocks(total: int, rows: int = 500) -> Iterator[int]:
    """Cut resamples into blocks, so that memory does not grow with their number."""
    return (min(rows, total - at) for at in range(0, total, rows))


def _expanded_tail(tail: float, count: int) -> float:
    """Return the quantile to use for `tail` with so many groups: more extreme, as Student's t is wider."""
    if count < 2:
        return 0.0
    normal, free = NormalDist(), count - 1
    z = -normal.inv_cdf(tail)
    # Cornish and Fisher's expansion of Student's quantile; at 2.5 % within 2 % from four groups on.
    terms = ((z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    student = z + sum(term / free**power for power, term in enumerate(terms, 1))
    return normal.cdf(-student * math.sqrt(count / free))


def _discounted(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, 1) if grade > 0)


@cache
def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] in "LNM":
        return "word"
    return "" if category[0] in "ZC" else category


def normal(answer: str) -> str:
    """Normalise an answer as SQuAD does: lower case, no punctuation, no articles, single spaces."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def _overlap(said: Sequence[str], accepted: Sequence[str]) -> float:
    if not said or not accepted:
        return float(said == accepted)
    common = (Counter(said) & Counter(accepted)).total()
    return 2 * common / (len(said) + len(accepted))
