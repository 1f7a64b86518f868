from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the page needs the extra [web]")

from starlette.testclient import TestClient
from web_kit import client_of, make_project

from tunebook.project import Project


@pytest.fixture
def paged(tmp_path: Path) -> Iterator[Project]:
    with make_project(tmp_path / "project") as project:
        yield project


@pytest.fixture
def client(paged: Project) -> Iterator[TestClient]:
    with client_of(paged) as made:
        yield made
