"""The live page at 1,000 and 10,000 trials of 100 values: start, bytes, seconds, memory, first paint, all plots.

Run: ``python benchmarks/bench_page.py [--browser] [--runs 3]``. Rounds are synthetic (the builders of ``tests/show``),
the server is a process of its own and new in every run, times are those of a client on loopback, figures are medians
of the runs. ``--browser`` also opens the page in Chromium, while the checks run beside it. Processor seconds are
given beside wall seconds, because the latter mean little on a machine that does other things; and beside all of
them the yardstick, a fixed loop of plain Python, whose seconds tell how fast a processor was during the run.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "show"))

from show_builders import make_evidence

from tunebook.core.outcome import Outcome
from tunebook.core.trial import TrialSpec
from tunebook.store.imports import ImportedTrial
from tunebook.store.store import Store

POINTS = 100
SERVE = "from tunebook.cli.serving import serve; import typer; typer.run(serve)"
LIMITS = {1_000: (0.1, 0.3e6, 2.0), 10_000: (0.3, 1.5e6, 5.0)}
QUIET = 1.0


def make(root: Path, n_trials: int) -> None:
    (root / "tunebook.toml").write_text("")
    evidence = make_evidence(n_trials, POINTS)
    found = []
    for number, trial in enumerate(evidence.trials):
        spec = TrialSpec(
            study=trial.study,
            config=trial.config,
            seed=trial.seed,
            max_train_steps=1000,
            way_to_train="train.py:train",
        )
        curves = {metric: curves[number] for metric, curves in evidence.curves.items()}
        outcome = Outcome(trial.status, trial.cause)
        found.append(ImportedTrial(name=spec.id, spec=spec, outcome=outcome, curves=curves, seconds=1.0))
    with Store.open(f"sqlite:///{root / 'tunebook.db'}") as store:
        store.import_round("01-dropout", evidence.round, found, now=datetime.now(UTC), origin="synthetic")


class Page:
    def __init__(self, root: Path) -> None:
        began = time.perf_counter()
        command = [sys.executable, "-c", SERVE, "--project", str(root), "--json", "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]
        urllib.request.urlopen(self.url).read()
        self.start = time.perf_counter() - began
        self.start_cpu = self.cpu()
        before = -1.0
        while self.cpu() - before > 0.01:  # what loads in the background
            before = self.cpu()
            time.sleep(QUIET)

    def cpu(self) -> float:
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / 100

    def memory(self, what: str = "VmHWM") -> float:
        """MiB of the server: the most there was, or with ``VmRSS`` what there is."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

    def ask(self, what: str) -> tuple[int, float, float, int]:
        """Bytes, wall seconds, processor seconds and bytes when compressed."""
        began, cpu = time.perf_counter(), self.cpu()
        data = urllib.request.urlopen(f"{self.url}api/{what}").read()
        wall, busy = time.perf_counter() - began, self.cpu() - cpu
        return len(data), wall, busy, len(gzip.compress(data, 1))

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


def yardstick() -> float:
    began, total = time.process_time(), 0
    for number in range(3_000_000):
        total += number
    return time.process_time() - began


#: Notes in the page itself when the frame with the words has been shown: a question from outside waits for the plots.
WATCH = """
const seen = new MutationObserver(() => {
  if (!document.querySelector("main[data-ready]")) return;
  seen.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.words = performance.now(); }));
});
seen.observe(document, { subtree: true, attributes: true, childList: true });
"""


def browse(url: str) -> dict[str, float]:
    """Seconds until the first paint, until the words are there and until every plot is drawn."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 9000})
        page.set_default_timeout(120_000)
        page.add_init_script(WATCH)
        clock = page.context.new_cdp_session(page)
        clock.send("Performance.enable", {"timeDomain": "threadTicks"})
        began = time.perf_counter()
        page.goto(f"{url}#/round/01-dropout")
        page.wait_for_selector("main[data-ready]")
        # Hundreds of pixels per plot: a window this tall shows them all, so all are drawn at once.
        page.locator("figure:not([data-drawn])").first.wait_for(state="detached")
        plots = time.perf_counter() - began
        words = page.evaluate("() => window.words / 1000")
        paint = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000")
        told = {item["name"]: item["value"] for item in clock.send("Performance.getMetrics")["metrics"]}
        n_elements = page.evaluate("() => document.querySelectorAll('*').length")
        browser.close()
    found = {"first paint, s": paint, "words, s": words, "all plots, s": plots}
    return {**found, "all plots, s of a processor": told["TaskDuration"], "elements of the page": n_elements}


QUESTIONS = (
    ("round, first time", "round?round=1"),
    ("round, again", "round?round=1"),
    ("curves of another metric", "plot?round=1&id=curves-1"),
    ("a zoom into curves", "plot?round=1&id=curves-0&low=100&high=200"),
)


def measure(root: Path, with_browser: bool) -> dict[str, float]:
    found: dict[str, float] = {"yardstick, s": yardstick()}
    page = Page(root)
    found |= {"start, s": page.start, "start, s of a processor": page.start_cpu}
    for words, what in QUESTIONS:
        size, wall, busy, small = page.ask(what)
        found |= {f"{words}, s": wall, f"{words}, s of a processor": busy}
        found |= {f"{words}, MB": size / 1e6, f"{words}, MB compressed": small / 1e6}
    found["server so far, MiB"] = page.memory()
    if with_browser:
        found |= browse(page.url)
    found |= {"server at most, MiB": page.memory(), "server in the end, MiB": page.memory("VmRSS")}
    page.close()
    return found


def report(n_trials: int, with_browser: bool, n_runs: int) -> None:
    seconds, most_bytes, plots = LIMITS[n_trials]
    root = Path(tempfile.mkdtemp())
    make(root, n_trials)
    runs = [measure(root, with_browser) for _ in range(n_runs)]
    shutil.rmtree(root)
    limits = {
        "start, s": 0.5,
        "round, first time, s": seconds,
        "round, first time, MB": most_bytes / 1e6,
        "first paint, s": 0.5,
        "all plots, s": plots,
        "server at most, MiB": 150,
    }
    print(f"{n_trials:,} trials of {POINTS} values, median of {n_runs} runs (least to most)")
    for words in runs[0]:
        values = [run[words] for run in runs]
        asked = f"   asked for: {limits[words]:g}" if words in limits else ""
        spread = f"({min(values):.3g} to {max(values):.3g})"
        print(f"  {words:44} {statistics.median(values):8.3g} {spread:20}{asked}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", action="store_true")
    parser.add_argument("--trials", type=int, nargs="*", default=list(LIMITS))
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    for count in chosen.trials:
        report(count, chosen.browser, chosen.runs)
