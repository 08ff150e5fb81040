"""Ray on this machine, for as long as a block runs, or a cluster of somebody else that is joined.

What is started here listens on 127.0.0.1 alone, keeps its sockets in a folder of this user, asks everybody who connects
for a token that only this user can read, has no dashboard, and reports to nobody. A cluster that is joined has the
settings of whoever started it.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from reatt.places import data_folder
from reatt_store.errors import NoCluster, UsageError
from reatt_store.opening import private_folder

NAMESPACE = "reatt"  # in which shards have their names
_OBJECTS = 128 << 20  # bytes of Ray's shared memory: what is passed on is small
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PATIENCE = 5.0  # seconds to connect
_AUTHORISED_BY = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def require() -> None:
    """Raise UsageError if the extra is missing."""
    if find_spec("ray") is None:
        raise UsageError("this needs the library ray, which is not installed", 'pip install "reatt[cluster]"')


@contextmanager
def running(address: str | None, cores: int) -> Iterator[str]:
    """Join the cluster of an address, or start one on this machine with so many cores; yield its address."""
    require()
    if address is not None:
        with joined(address):
            yield address
        return
    _set_up(local=True)
    import ray

    _hush()
    with _own_folder() as folder:
        ray.init(
            num_cpus=cores,
            include_dashboard=False,
            object_store_memory=_OBJECTS,
            namespace=NAMESPACE,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=str(folder / "ray"),
        )
        try:
            yield str(ray.get_runtime_context().gcs_address)
        finally:
            ray.shutdown()


@contextmanager
def joined(address: str) -> Iterator[None]:
    """Join a cluster for a block; raises NoCluster if none answers there."""
    require()
    host, port = _parsed(address)
    try:
        socket.create_connection((host, port), _PATIENCE).close()
    except OSError as error:
        raise _none(address, error.strerror or str(error)) from None
    _set_up(local=host in _LOOPBACK)
    import ray

    _hush()
    try:
        ray.init(address=f"{host}:{port}", namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _none(address, str(error).partition("\n")[0]) from None
    try:
        yield
    finally:
        ray.shutdown()


def _hush() -> None:
    """Keep Ray from printing, between the lines of a command, that it has begun a task again.

    There is no option for this. If Ray renames what is replaced here, it prints that again, and nothing else changes.
    """
    from ray._private import worker

    worker.print_to_stdstream = lambda *_, **__: None


def _set_up(local: bool) -> None:
    """Tell Ray, before it is imported, to ask for our token, and to report to nobody; what the user has set stays."""
    environment = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_worker_niceness": "0",  # by 15 otherwise, so that shards would starve beside any other program
    }
    if local:  # Ray's name for: this machine's address is 127.0.0.1, and nothing listens on another
        environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    if local and not any(name in os.environ for name in _AUTHORISED_BY):
        environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(_token())}
    for name, value in environment.items():
        os.environ.setdefault(name, value)


def _token() -> Path:
    """Return the file of this user's token; make it if there is none."""
    file = data_folder() / "cluster" / "token"
    private_folder(file.parent)
    with suppress(FileExistsError):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_hex(32))
    return file


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Make a folder that other users cannot enter, with a name short enough for sockets in it."""
    short = "/tmp" if os.path.isdir("/tmp") else None  # noqa: S108  (mkdtemp makes a folder for its owner alone)
    folder = Path(tempfile.mkdtemp(prefix="reatt-", dir=short))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise UsageError(f"{address}: expected HOST:PORT, as reatt cluster serve prints it", "--cluster 127.0.0.1:6379")
    return host.strip("[]"), int(port)


def _none(address: str, why: str) -> NoCluster:
    return NoCluster(f"no cluster answers at {address}: {why}", "reatt cluster serve STORE... prints the address")
