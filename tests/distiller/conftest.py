"""Fixtures that several tests of the distiller share."""

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a small MPNet teacher."""
    from distiller import teachers  # imports torch, which test-runtime does not have

    return teachers.build("mpnet", tmp_path_factory.mktemp("mpnet"))


@pytest.fixture
def teacher(folder):
    """A small MPNet teacher."""
    from staticemb_distiller.teacher import Teacher

    return Teacher.load(str(folder), device="cpu")
