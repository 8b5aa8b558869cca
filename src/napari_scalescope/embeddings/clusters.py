"""Where a cluster of `dask.distributed` is, and whether it will do."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..encoders.devices import processes
from ..errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client

#: An address, "local", "local:4", "dask", a scheduler file, a client, or a cluster object.
Scheduler: TypeAlias = Any

#: A scheduler that does not answer for so long is not there.
CONNECT_S = 15.0
#: What has to be of one version everywhere. The scheduler takes tasks apart, so it counts too.
SAME_VERSION = ("napari-scalescope", "distributed", "python")


@contextmanager
def connected(scheduler: Scheduler, wait_s: float, device: str = "auto") -> Iterator[Client]:
    """A client of a cluster that has at least one worker and fits this machine.

    Parameters
    ----------
    scheduler : str, path, Client or cluster
        Its address ("tcp://10.0.0.1:8786"); "local" or "local:N", worker processes of this
        machine, one for each GPU (without any, each core) or N; "dask", what dask's configuration
        names (``DASK_SCHEDULER_ADDRESS``); a scheduler file; or a `distributed.Client` or a
        cluster object, which stay open.
    wait_s : float
        How long to wait for the first worker.
    device : str
        What "local" workers compute on.

    Raises
    ------
    ClusterError
    """
    try:
        import distributed
    except ImportError as error:
        raise ClusterError(
            "The package distributed is not installed.",
            'Install it everywhere: pip install "napari-scalescope[distributed]".',
        ) from error
    if isinstance(scheduler, distributed.Client):
        _require_fit(scheduler, wait_s)
        yield scheduler
        return
    with _cluster(scheduler, device) as place, _client(place) as client:
        _require_fit(client, wait_s)
        yield client


@contextmanager
def _cluster(scheduler: Scheduler, device: str) -> Iterator[Mapping[str, Any]]:
    """How to reach it, as arguments of `distributed.Client`; ours is started and ended here."""
    import dask
    import distributed

    text = str(scheduler)
    kind, _, count = text.partition(":")
    if kind == "local":
        if not (count.isdecimal() and int(count)) and ":" in text:
            raise ClusterError(f"{text!r} says no number of workers.", "Write local:4, for four.")
        with (
            # A worker that died takes longer than its 15 s to be there again on a busy machine.
            dask.config.set({"distributed.deploy.lost-worker-timeout": "5 minutes"}),
            distributed.LocalCluster(
                n_workers=int(count) if count else processes(device),
                threads_per_worker=1,
                dashboard_address=":0",
            ) as cluster,
        ):
            yield {"address": cluster}
    elif text == "dask":
        address = dask.config.get("scheduler-address", None)
        if address is None:
            raise ClusterError(
                "dask's configuration names no scheduler.",
                "Set DASK_SCHEDULER_ADDRESS, or give its address.",
            )
        yield {"address": address}
    elif text.endswith(".json"):
        if not Path(text).is_file():
            raise ClusterError(
                f"There is no scheduler file {text}.", f"dask scheduler --scheduler-file {text}"
            )
        yield {"scheduler_file": text}
    else:
        yield {"address": scheduler}


@contextmanager
def _client(place: Mapping[str, Any]) -> Iterator[Client]:
    import distributed
    from distributed.versions import VersionMismatchWarning

    with warnings.catch_warnings():
        # What matters of it is an error of ours, in words.
        warnings.simplefilter("ignore", VersionMismatchWarning)
        try:
            client = distributed.Client(**place, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError, ImportError) as error:
            where = place.get("address", place.get("scheduler_file"))
            raise ClusterError(
                f"The scheduler {where} cannot be reached ({error}).",
                "Check the address, and that it runs: dask scheduler.",
            ) from error
    with client:
        yield client


def _require_fit(client: Client, wait_s: float) -> None:
    address = client.scheduler_info()["address"]
    try:
        client.wait_for_workers(1, timeout=wait_s)
    except TimeoutError as error:
        raise no_workers(address, wait_s) from error
    found = client.get_versions(packages=["napari-scalescope"])
    ours = _versions(found["client"])
    others = {f"the scheduler {address}": found["scheduler"]}
    others |= {f"the worker {name}": facts for name, facts in found["workers"].items()}
    for who, facts in others.items():
        theirs = _versions(facts)
        for package in SAME_VERSION:
            if theirs[package] is None:
                raise ClusterError(
                    f"{package} is not installed for {who}.", "Install the same everywhere."
                )
            if theirs[package] != ours[package]:
                raise ClusterError(
                    f"{who} has {package} {theirs[package]}, and this machine {ours[package]}.",
                    "Install the same everywhere.",
                )


def no_workers(address: str, wait_s: float) -> ClusterError:
    """Nobody came, or all went."""
    return ClusterError(
        f"The scheduler {address} has had no worker for {wait_s:g} s.",
        f"Start some: dask worker {address} --nworkers 4 --nthreads 1. What is encoded is kept.",
    )


def _versions(facts: Mapping[str, Any]) -> dict[str, str | None]:
    packages = dict(facts["packages"])
    packages["python"] = ".".join(str(packages["python"]).split(".")[:2])
    return {package: packages.get(package) for package in SAME_VERSION}
