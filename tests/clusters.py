"""Clusters for tests: a real Ray cluster of several raylets in a network namespace of its own.

Ray replaces 127.0.0.1 by an address of the machine, which need not answer; in a namespace with nothing but
the loopback there is no other address. A namespace belongs to a thread, so a test enters and leaves it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

#: Set where a missing cluster is an error instead of a reason to skip.
REQUIRED = "TUNEBOOK_REQUIRE_CLUSTERS"
CLONE_NEWNET = 0x40000000
RAY_SETTINGS = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_raylet_start_wait_time_s": "60",
}
OBJECT_STORE_BYTES = 80 * 2**20


def missing(reason: str) -> NoReturn:
    """Skip, or fail where the environment says that clusters have to be there."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} is set, but: {reason}")
    pytest.skip(reason)


class Namespace:
    """A network namespace with a loopback and nothing else; ``inside`` runs a block in it."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        if self._libc.unshare(CLONE_NEWNET) != 0:
            os.close(outside)
            missing("no network namespace may be made here; that takes root")
        self._fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self._enter(outside)
        os.close(outside)

    def _enter(self, fd: int) -> None:
        if self._libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    @contextmanager
    def inside(self) -> Iterator[None]:
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._enter(self._fd)
        try:
            yield
        finally:
            self._enter(outside)
            os.close(outside)

    def close(self) -> None:
        os.close(self._fd)


class RayCluster:
    """A head and ``n_nodes`` more raylets with ``cpus`` each; the test process is its driver."""

    def __init__(self, n_nodes: int = 1, cpus: int = 2) -> None:
        pytest.importorskip("ray")
        os.environ.update(RAY_SETTINGS)
        self.namespace = Namespace()
        from ray.cluster_utils import Cluster

        with self.namespace.inside():
            self._cluster = Cluster(initialize_head=True, head_node_args=self.node_options(cpus))
            self.nodes = [self._cluster.add_node(**self.node_options(cpus)) for _ in range(n_nodes)]
            self.address = self._cluster.address

    def node_options(self, cpus: int) -> dict[str, Any]:
        return {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}

    @contextmanager
    def joined(self) -> Iterator[None]:
        """In the namespace, with this process as a driver."""
        import ray

        with self.namespace.inside():
            if not ray.is_initialized():
                ray.init(address=self.address, log_to_driver=False, logging_level="ERROR", namespace="tunebook")
            yield

    def close(self) -> None:
        import ray

        with self.namespace.inside():
            ray.shutdown()
            self._cluster.shutdown()
        self.namespace.close()


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[RayCluster]:
    cluster = RayCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def in_cluster(request: pytest.FixtureRequest) -> Iterator[None]:
    """For a test with a parameter ``executor``: the cluster that one needs."""
    name = request.getfixturevalue("executor")
    if name != "ray":
        yield
        return
    with request.getfixturevalue("ray_cluster").joined():
        yield
