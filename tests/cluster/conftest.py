"""What all tests of a cluster share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    """Use one thread, as shards do: the last bit of a sum depends on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
