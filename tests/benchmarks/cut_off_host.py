"""Cut a host off while it works: scheduler and two workers in network namespaces of their own.

    python -m tests.benchmarks.cut_off_host [--delay-ms MS] [--heal S]

Needs Linux, root, `ip` and `unshare`. Each host has its own network, host name and process ids,
and is joined to a bridge by a virtual cable; `tc` delays what goes through it. One worker's cable
is unplugged while it encodes, as when a rack loses its switch: nobody closes a connection, and
the host itself goes on with its shard, in the store that both share. With ``--heal`` the cable is
plugged in again. Ends with status 0 only if `scalescope embed --scheduler` is done all the same,
and the store the same to the last byte as one machine's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from napari_scalescope.cli.whole_slides import Request, embed_slides
from napari_scalescope.sample import sample_slide_path
from tests.benchmarks.kill_embed import files
from tests.embeddings import remote

#: Documentation addresses (RFC 5737): nobody else's.
ADDRESS = "192.0.2.{}"
BRIDGE = "scalescope0"
SCHEDULER = f"tcp://{ADDRESS.format(1)}:8786"
#: So that an unplugged cable is noticed in seconds and not in minutes.
TIMEOUTS = {
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "10s",
}


def sh(command: str, check: bool = True) -> None:
    subprocess.run(command.split(), check=check, stderr=None if check else subprocess.DEVNULL)


@contextlib.contextmanager
def hosts(count: int, delay_ms: int) -> Iterator[None]:
    """Hosts 1 to ``count``, each in a namespace ``scalescope-N``, on one bridge."""
    try:
        sh(f"ip link add {BRIDGE} type bridge")
        sh(f"ip link set {BRIDGE} up")
        for n in range(1, count + 1):
            name, outer, inner = f"scalescope-{n}", f"ssout{n}", f"ssin{n}"
            sh(f"ip netns add {name}")
            sh(f"ip link add {outer} type veth peer name {inner}")
            sh(f"ip link set {outer} master {BRIDGE} up")
            sh(f"ip link set {inner} netns {name}")
            sh(f"ip -n {name} address add {ADDRESS.format(n)}/24 dev {inner}")
            sh(f"ip -n {name} link set {inner} up")
            sh(f"ip -n {name} link set lo up")
            if delay_ms and shutil.which("tc"):
                sh(f"tc qdisc add dev {outer} root netem delay {delay_ms}ms", check=False)
        yield
    finally:
        for n in range(1, count + 1):
            sh(f"ip netns delete scalescope-{n}", check=False)
            sh(f"ip link delete ssout{n}", check=False)
        sh(f"ip link delete {BRIDGE}", check=False)


def on(host: int, *command: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start something on a host, where it has a host name and process ids of its own."""
    inside = f'hostname scalescope-{host} && exec "$@"'
    return subprocess.Popen(
        ["ip", "netns", "exec", f"scalescope-{host}", "unshare", "--uts", "--pid", "--fork",
         "--mount-proc", "--kill-child", "sh", "-c", inside, "sh", sys.executable, "-W", "ignore",
         "-m", *command],
        env={**os.environ, **TIMEOUTS, **environment},
    )  # fmt: skip


def computed(log: Path) -> Counter[str]:
    return Counter(line for p in log.rglob("*.log") for line in p.read_text().splitlines())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay-ms", type=int, default=5)
    parser.add_argument("--heal", type=float, help="plug the cable in again after so many seconds")
    given = parser.parse_args()
    if sys.platform != "linux" or os.getuid() != 0 or not shutil.which("ip"):
        print("not run: needs Linux, root and ip")
        return 0
    slide = sample_slide_path()
    with tempfile.TemporaryDirectory() as folder, hosts(3, given.delay_ms):
        whole, cut, log = (Path(folder) / name for name in ("whole", "cut", "log"))
        one = embed_slides(Request((slide,), ("logged",), (0.5,), whole, keep=("attention",)))
        tiles = one["sets"][0]["tiles"]
        dask = "distributed.cli.dask_"
        running = [on(1, f"{dask}scheduler", "--host", ADDRESS.format(1), "--dashboard-address=:0")]
        for n in (2, 3):
            (log / str(n)).mkdir(parents=True)
            running.append(
                on(
                    n,
                    f"{dask}worker",
                    SCHEDULER,
                    "--host",
                    ADDRESS.format(n),
                    "--nthreads=1",
                    f"--preload={remote.__file__}",
                    "--dashboard-address=:0",
                    SCALESCOPE_TEST_LOG=str(log / str(n)),
                    SCALESCOPE_TEST_DELAY_S="0.008",
                )
            )
        time.sleep(5)
        command = ["napari_scalescope", "embed", str(slide), "-e", "logged", "-m", "0.5"]
        command += ["-o", str(cut), "--keep", "attention", "--scheduler", SCHEDULER]
        client = on(1, *command)
        while not all(list((log / n).iterdir()) for n in "23") and client.poll() is None:
            time.sleep(0.1)
        time.sleep(3)
        at_cut = computed(log / "2").total()
        sh("ip link set ssout2 down")
        print(f"host 2 is cut off; it has computed {at_cut} tiles", flush=True)
        if given.heal:
            time.sleep(given.heal)
            sh("ip link set ssout2 up")
            print("host 2 is back", flush=True)
        status = client.wait(timeout=500)
        apart = computed(log / "2").total() - at_cut
        again = on(1, *command).wait(timeout=200)
        for process in running:
            process.kill()
            process.wait()
        counts = computed(log)
        same = files(whole) == files(cut)
        print(
            f"embed ended with {status}, and again with {again}; {tiles} tiles, "
            f"{counts.total() - tiles} computed twice; host 2 went on with {apart} after the cut; "
            f"{len(files(whole))} files: {'identical' if same else 'DIFFERENT'}"
        )
    return 0 if same and status == again == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
