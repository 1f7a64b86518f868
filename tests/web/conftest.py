from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the page needs the extra [web]")

from starlette.testclient import TestClient  # noqa: E402
from web_kit import client_of, make_project  # noqa: E402

from tunebook.project import Project  # noqa: E402


@pytest.fixture
def paged(tmp_path: Path) -> Iterator[Project]:
    with make_project(tmp_path / "project") as project:
        yield project


@pytest.fixture
def client(paged: Project) -> Iterator[TestClient]:
    with client_of(paged) as made:
        yield made
