"""One process for each shard, started by Ray and restarted when it dies; what is served ends with who serves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reatt.cluster.fleet import Fleet, Member, silent
from reatt.cluster.remote import Shards
from reatt.cluster.shard import Shard
from reatt_store.errors import NoCluster, ShardsLost, UsageError, rebuilt

START = 300.0  # seconds in which every shard must be there


@contextmanager
def serving(folders: Sequence[Path], model: str | None, device: str) -> Iterator[list[Member]]:
    """Start the shards in the cluster that was joined; yield them once all are ready, and end them with the block.

    Raises ModelMismatch if they cannot be searched together, and UsageError if others are served there.
    """
    import ray

    if known():
        raise UsageError("this cluster serves shards already", "end the other reatt cluster serve first")
    members = [
        Member(number, str(folder), _started(_name(number, len(folders), str(folder)), str(folder), model, device))
        for number, folder in enumerate(folders)
    ]
    try:
        states = _states(members)
        Shards(Fleet(members, {}), states).generation()
        yield members
    finally:
        for member in members:
            ray.kill(member.handle)


def known() -> list[tuple[str, Member | None]]:
    """Find the shards that are served, in order: the folder of each, and how to reach it, if Ray still knows it."""
    import ray

    named = [each for name in ray.util.list_named_actors() if (each := _parsed(name)) is not None]
    found: dict[int, tuple[str, Member | None]] = {}
    for number, count, folder in named:
        for other in range(count):
            found.setdefault(other, (f"shard {other + 1} of {count}", None))
        try:
            found[number] = folder, Member(number, folder, ray.get_actor(_name(number, count, folder)))
        except ValueError:  # it ended just now
            found[number] = folder, None
    return [found[number] for number in sorted(found)]


def lost(members: Sequence[Member]) -> list[int]:
    """Return the numbers of those that do not answer; the others have their model loaded afterwards."""
    gone = silent(members)
    for member in members:
        if member.number not in gone:
            member.handle.call.remote(0, "state")
    return gone


def _started(name: str, folder: str, model: str | None, device: str) -> Any:
    import ray

    remote: Any = ray.remote  # whose types do not know this option
    made = remote(concurrency_groups={"model": 1, "watch": 1})(Shard)
    gpus = 1 if device.startswith("cuda") else 0
    how = {"name": name, "num_cpus": 1, "num_gpus": gpus, "max_restarts": -1, "scheduling_strategy": "SPREAD"}
    return made.options(**how).remote(folder, model, device)


def _states(members: Sequence[Member]) -> dict[int, Any]:
    """Wait until every shard has opened its store and loaded its model."""
    import ray

    calls = [member.handle.call.remote(0, "state") for member in members]
    try:
        said = ray.get(calls, timeout=START)
    except ray.exceptions.GetTimeoutError:
        resources: Any = ray.cluster_resources
        cores = int(resources().get("CPU", 0))
        told = (
            f"{len(members)} shards did not start in {START:.0f} s; the cluster has {cores} cores, and each needs one"
        )
        raise NoCluster(told, "serve fewer shards, or add a machine") from None
    except ray.exceptions.RayActorError as error:
        raise ShardsLost(f"a shard died while it started: {str(error).partition(chr(10))[0]}", "ray status") from None
    for kind, value in said:
        if kind == "error":
            raise rebuilt(*value)
    return {member.number: value for member, (_, value) in zip(members, said, strict=True)}


def _name(number: int, count: int, folder: str) -> str:
    return f"{number:04d} {count:04d} {folder}"


def _parsed(name: str) -> tuple[int, int, str] | None:
    number, count, *folder = name.split(" ", 2)
    return (int(number), int(count), folder[0]) if folder and number.isdigit() and count.isdigit() else None
