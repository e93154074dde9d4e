"""The estimators keep scikit-learn's contract: its checks, pipelines, search, clones, pickles."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import estimator_checks
from sklearn.utils.validation import validate_data

from staticemb_distiller import StaticClassifier, StaticEmbedder, StaticRegressor
from staticemb_runtime import StaticModel

WORDS = ["red", "green", "one", "two", "cat", "dog", "tree", "stone", "north", "south"]
FILMS = [f"{a} {b} film" for a in ("good", "great", "fine") for b in ("old", "new", "long")]
POOR = [f"{a} {b} film" for a in ("bad", "poor", "awful") for b in ("old", "new", "long")]


def spelled(numbers):
    """Rows of numbers as texts: larger numbers repeat a column's word more often."""
    grades = np.clip(np.round(np.asarray(numbers, np.float64) * 2), -8, 8).astype(int)
    return [
        " ".join(
            " ".join([WORDS[(2 * at + (grade < 0)) % len(WORDS)]] * (abs(grade) + 1))
            for at, grade in enumerate(row)
        )
        for row in grades.tolist()
    ]


class OfNumbers:
    """Lets scikit-learn's checks, which make numbers, test an estimator of texts."""

    def fit(self, X, y=None, **options):
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=isinstance(self, Regressor))
        return super().fit(spelled(X), y, **options)

    def predict(self, X):
        return super().predict(self._checked(X))

    def _checked(self, X):
        estimator_checks.check_is_fitted(self)
        return spelled(validate_data(self, X, reset=False))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = False
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        return tags


class Classifier(OfNumbers, StaticClassifier):
    def predict_proba(self, X):
        return super().predict_proba(self._checked(X)) if not self._inside(X) else self._proba(X)

    def decision_function(self, X):
        return super().decision_function(self._checked(X))

    def _inside(self, X):
        return isinstance(X, list) and X and isinstance(X[0], str)

    def _proba(self, X):
        return StaticClassifier.predict_proba(self, X)


class Regressor(OfNumbers, StaticRegressor):
    pass


class Embedder(OfNumbers, StaticEmbedder):
    def transform(self, X):
        return super().transform(self._checked(X))


# What an estimator of texts cannot keep, and why.
SKIPPED = {"check_regressors_train": "asks for half of the variance, which rounding to words loses"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator",
    [Classifier(strength=1.0, pooling="mean"), Regressor(strength=1.0, pooling="mean")],
    ids=["classifier", "regressor"],
)
def test_scikit_learns_own_checks_pass(estimator):
    results = estimator_checks.check_estimator(estimator, on_fail=None, on_skip=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert len(results) > 40
    assert {name: str(e) for name, e in failed.items() if name not in SKIPPED} == {}


@pytest.mark.parametrize("kind", [StaticClassifier, StaticRegressor, StaticEmbedder])
def test_checks_of_parameters_pass_for_texts(kind):
    estimator = kind()
    for check in (
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
    ):
        check(kind.__name__, clone(estimator))


def test_an_embedder_gives_the_models_vectors():
    expected = StaticModel.load().encode(FILMS, truncate_dim=64)
    embedder = StaticEmbedder(truncate_dim=64)
    np.testing.assert_array_equal(embedder.fit_transform(FILMS), expected)
    assert len(embedder.get_feature_names_out()) == 64
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(FILMS), expected)


def test_an_embedder_works_in_a_pipeline_and_a_search():
    texts, labels = FILMS + POOR, ["good"] * 9 + ["bad"] * 9
    pipeline = make_pipeline(StaticEmbedder(), StandardScaler(), LinearSVC())
    search = GridSearchCV(pipeline, {"staticembedder__truncate_dim": [32, 192]}, cv=3)
    assert search.fit(texts, labels).score(texts, labels) == 1
    assert search.best_params_["staticembedder__truncate_dim"] in (32, 192)


def test_a_classifier_can_be_searched_and_scored():
    texts, labels = FILMS + POOR, [1] * 9 + [0] * 9
    search = GridSearchCV(StaticClassifier(), {"strength": [1.0, 10.0]}, cv=3).fit(texts, labels)
    assert search.best_estimator_.predict(["a fine film", "an awful film"]).tolist() == [1, 0]
    assert cross_val_score(StaticClassifier(strength=1.0), texts, labels, cv=3).mean() > 0.9


def test_a_saved_classifier_predicts_the_same_with_the_runtime_alone(tmp_path):
    texts, labels = FILMS + POOR, ["good"] * 9 + ["bad"] * 9
    classifier = StaticClassifier(random_state=3).fit(texts, labels)
    classifier.save(tmp_path / "films.staticemb", name="films")
    model = StaticModel.load(tmp_path / "films.staticemb")
    assert model.heads == ("films",)
    assert list(model.classify(texts)) == classifier.predict(texts).tolist()
    expected = classifier.predict_proba(texts)
    np.testing.assert_allclose(model.predict_proba(texts), expected, atol=1e-6)


def test_several_labels_and_numbers():
    texts = FILMS + POOR
    matrix = np.array([[t in FILMS, "old" in t] for t in texts], int)
    several = StaticClassifier().fit(texts, matrix)
    assert several.predict_proba(texts).shape == (18, 2)
    assert (several.predict(texts)[:, 0] == matrix[:, 0]).mean() > 0.9
    numbers = StaticRegressor().fit(texts, matrix.astype(float))
    assert numbers.predict(texts).shape == (18, 2)
    assert numbers.score(texts, matrix) > 0.5


@pytest.mark.parametrize("texts", ["a text", [["a"], ["b"]], [1, 2], ["a", None]])
def test_what_is_no_text_is_refused(texts):
    with pytest.raises(ValueError, match="expected"):
        StaticClassifier().fit(texts, [0, 1])
