"""A store to search."""

import shutil
from pathlib import Path

import pytest

from reatt.search.retriever import Retriever
from reatt_store.library import Library


@pytest.fixture
def open_store(tiny_reatt):
    """Return a function that opens a store to search, and close what it opened."""
    opened = []

    def open_one(folder, backbone=tiny_reatt, **settings):
        opened.append(Library.open(folder))
        return Retriever(opened[-1], backbone, opened[-1].generation(), **settings)

    yield open_one
    for library in opened:
        library.close()


@pytest.fixture
def retriever(open_store, archive):
    return open_store(archive)


@pytest.fixture
def copy(archive, tmp_path):
    """Copy the store, to be changed."""
    return Path(shutil.copytree(archive, tmp_path / "copy"))
