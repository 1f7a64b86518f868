"""Take the pictures of the guides from the demo: `python docs/screens.py demo`, after `make demo`.

Needs Chromium and Playwright. Runs `exploit --plan` and 16 trials of it in a copy, so the demo stays as it is.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
PICTURE = Path(__file__).parent / "picture.py"
ROUND = "01-dropout"
DRAWN_MS = 3000


def main() -> None:
    """Every picture that shows the demo."""
    with tempfile.TemporaryDirectory() as folder:
        demo = Path(folder) / "demo"
        shutil.copytree(sys.argv[1], demo)
        draw(demo, "demo.svg", "decide", ROUND)
        draw(demo, "exploit-plan.svg", "exploit", ROUND, "--plan")
        with opened() as page:
            report(page, demo)
            with served(demo) as address:
                round_page(page, address)
                compare_page(page, address)
                phone(page, address)
            tunebook(demo, "exploit", ROUND, "--trials", "16", "--workers", "2", "--html", "exploit.html")
            feasibility_map(page, demo)


def tunebook(demo: Path, *words: str) -> None:
    """Run a command in the demo."""
    subprocess.run([command(), *words], cwd=demo, check=True, stdout=subprocess.DEVNULL)


def command() -> str:
    """The command of this environment."""
    return str(Path(sys.executable).with_name("tunebook"))


def draw(demo: Path, name: str, *words: str) -> None:
    """What a command prints, as SVG."""
    subprocess.run([sys.executable, PICTURE, IMAGES / name, command(), *words], cwd=demo, check=True)


@contextmanager
def opened() -> Iterator[Page]:
    """A page of a browser."""
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser.new_page()
        browser.close()


@contextmanager
def served(demo: Path) -> Iterator[str]:
    """The live page of the demo."""
    server = subprocess.Popen(
        [command(), "serve", "--port", "0"], cwd=demo, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert server.stdout is not None
    line = server.stdout.readline()
    yield next(word for word in line.split() if word.startswith("http"))
    server.terminate()
    server.wait()


def show(page: Page, address: str, width: int, height: int) -> None:
    """Open an address at a size and wait until it is drawn."""
    page.set_viewport_size({"width": width, "height": height})
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_timeout(DRAWN_MS)


def shoot(page: Page, name: str) -> None:
    """Save what is seen, after what was scrolled to is drawn."""
    page.wait_for_timeout(DRAWN_MS)
    page.screenshot(path=IMAGES / name)


def report(page: Page, demo: Path) -> None:
    """The findings and the axis plots of the report."""
    show(page, (demo / "report.html").resolve().as_uri(), 1200, 830)
    scroll(page.get_by_role("heading", name="Findings").first)
    shoot(page, "report-findings.png")
    page.set_viewport_size({"width": 1200, "height": 960})
    scroll(page.get_by_role("heading", name="Is the search space wide enough").first)
    shoot(page, "report.png")


def round_page(page: Page, address: str) -> None:
    """The top of the round, and the evidence of a finding."""
    show(page, f"{address}#/round/{ROUND}", 1100, 900)
    page.wait_for_selector("#in-short[data-answered]")
    shoot(page, "page-round.png")
    page.get_by_role("button", name="Show the plot behind: Trials with").first.click()
    shoot(page, "page-linked.png")


def compare_page(page: Page, address: str) -> None:
    """The comparison."""
    show(page, f"{address}#/compare/{ROUND}", 1100, 900)
    shoot(page, "page-compare.png")


def phone(page: Page, address: str) -> None:
    """The top of the round at the width of a phone."""
    show(page, f"{address}#/round/{ROUND}", 390, 800)
    page.wait_for_selector("#in-short[data-answered]")
    shoot(page, "page-phone.png")


def feasibility_map(page: Page, demo: Path) -> None:
    """Where training works, from the report of the exploitation."""
    show(page, (demo / "exploit.html").resolve().as_uri(), 900, 900)
    chapter = page.locator("section", has=page.get_by_role("heading", name="Where training works")).first
    chapter.scroll_into_view_if_needed()
    page.wait_for_timeout(DRAWN_MS)
    chapter.screenshot(path=IMAGES / "exploit-map.png")


def scroll(target: Any) -> None:
    """Put something a little below the top of the window."""
    target.evaluate("element => window.scrollTo(0, element.getBoundingClientRect().top + window.scrollY - 20)")


if __name__ == "__main__":
    main()
