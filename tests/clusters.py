"""Clusters for tests: a real Ray cluster of several raylets in a network namespace of its own.

Ray replaces 127.0.0.1 by an address of the machine, which need not answer; in a namespace with nothing but
the loopback there is no other address. A namespace belongs to a thread, so a test enters and leaves it.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from run.round_kit import wait_until

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

    def kill_all(self) -> None:
        """End every process that is left inside."""
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and (folder / "ns" / "net").stat().st_ino == self.inode:
                    os.kill(int(folder.name), signal.SIGKILL)
            except OSError:
                continue

    @property
    def inode(self) -> int:
        """By which processes inside are known."""
        return os.fstat(self._fd).st_ino

    def close(self) -> None:
        os.close(self._fd)


class RayCluster:
    """A head and ``n_nodes`` more raylets with ``cpus`` each; the test process is its driver."""

    def __init__(self, n_nodes: int = 1, cpus: int = 2, namespace: Namespace | None = None) -> None:
        pytest.importorskip("ray")
        os.environ.update(RAY_SETTINGS)
        self._is_own_namespace = namespace is None
        self.namespace = namespace or Namespace()
        from ray.cluster_utils import Cluster

        with self.namespace.inside():
            self.ray = Cluster(initialize_head=True, head_node_args=self.node_options(cpus))
            self.nodes = [self.ray.add_node(**self.node_options(cpus)) for _ in range(n_nodes)]
            self.address = self.ray.address

    def node_options(self, cpus: int) -> dict[str, Any]:
        return {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}

    def add_blind_node(self, folder: Path, cpus: int) -> None:
        """A raylet that has an empty folder where ``folder`` is, as another machine would."""
        words = [
            sys.executable,
            "-m",
            "ray.scripts.scripts",
            "start",
            f"--address={self.address}",
            f"--num-cpus={cpus}",
        ]
        words += [f"--object-store-memory={OBJECT_STORE_BYTES}", "--disable-usage-stats"]
        command = f"mount -t tmpfs none {shlex.quote(str(folder))} && exec {shlex.join(words)}"
        with self.namespace.inside():
            subprocess.run(["unshare", "--mount", "sh", "-c", command], check=True, stdout=subprocess.DEVNULL)

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
            self.ray.shutdown()
        if self._is_own_namespace:
            self.namespace.kill_all()
            self.namespace.close()


SLURM_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
SLURM_CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0,bf_interval=1,requeue_delay=1
ReturnToService=2
JobRequeue=1
MinJobAge=60
KillWait=5
MaxArraySize=2000
MaxJobCount=5000
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


class SlurmCluster:
    """A real SLURM of one node: munged, slurmctld and slurmd with files and ports of their own."""

    def __init__(self) -> None:
        pytest.importorskip("submitit")
        absent = [program for program in SLURM_PROGRAMS if shutil.which(program) is None]
        if absent or os.getuid() != 0:
            missing(f"no SLURM to start here: {', '.join(absent) or 'it takes root'} (Debian: slurmctld slurmd munge)")
        self.folder = Path(tempfile.mkdtemp(prefix="tunebook-slurm-"))
        self.host = socket.gethostname().partition(".")[0]
        self.conf = self.folder / "slurm.conf"
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        ports = [_free_port(), _free_port()]
        text = SLURM_CONF.format(host=self.host, folder=self.folder, ports=ports, cpus=os.cpu_count())
        self.conf.write_text(text)
        self.environment = {"SLURM_CONF": str(self.conf)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._start_munge()
        self.start("slurmctld", "-D", "-f", str(self.conf))
        self.start("slurmd", "-D", "-f", str(self.conf), "-N", self.host)
        self.wait_for_state("idle")

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        names = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        files = [f"--{option}={self.folder}/munge.{name}" for option, name in names.items()]
        self.start("munged", "--foreground", "--force", f"--key-file={key}", *files)
        wait_until((self.folder / "munge.socket").exists)

    def start(self, *words: str) -> None:
        with (self.folder / f"{words[0]}.out").open("ab") as out:
            self._processes[words[0]] = subprocess.Popen(
                words, env={**os.environ, **self.environment}, stdout=out, stderr=out, start_new_session=True
            )

    def stop(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def command(self, *words: str) -> str:
        environment = {**os.environ, **self.environment}
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False).stdout

    def wait_for_state(self, state: str) -> None:
        wait_until(lambda: self.command("sinfo", "-h", "-o", "%T").strip().startswith(state), 40)

    def close(self) -> None:
        self.command("scancel", "--user=root")
        for name in list(self._processes):
            self.stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[SlurmCluster]:
    cluster = SlurmCluster()
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[RayCluster]:
    cluster = RayCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def in_cluster(request: pytest.FixtureRequest) -> Iterator[None]:
    """For a test with a parameter ``executor``: the cluster that one needs."""
    name = request.getfixturevalue("executor")
    if name == "slurm":
        monkeypatch = request.getfixturevalue("monkeypatch")
        for variable, value in request.getfixturevalue("slurm_cluster").environment.items():
            monkeypatch.setenv(variable, value)
    if name != "ray":
        yield
        return
    with request.getfixturevalue("ray_cluster").joined():
        yield
