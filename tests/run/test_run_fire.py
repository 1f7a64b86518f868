"""Under fire: parts of a cluster are killed during a round, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters import Namespace
from postgres import fresh_schema, server
from run.fire_kit import RayFire, assert_ended_once

pytestmark = pytest.mark.slow


@pytest.mark.timeout(500)
def test_a_round_on_ray_outlives_a_worker_a_node_a_driver_and_a_head(tmp_path: Path) -> None:
    fire = RayFire(tmp_path, 60)
    try:
        report = fire.run(["worker", "node", "driver", "head"], seconds=400)
        assert report.n_lost_rows == 0
        assert report.n_drivers >= 3
        assert report.n_attempts > 60  # or nothing was hit
        assert_ended_once(fire.project, 60)
    finally:
        fire.close()


@pytest.mark.timeout(400)
def test_trials_on_ray_write_to_postgresql_themselves_and_lose_nothing(tmp_path: Path) -> None:
    namespace = Namespace()
    with namespace.inside(), server() as started:
        fire = RayFire(tmp_path, 40, store=fresh_schema(started.url), namespace=namespace)
        try:
            report = fire.run(["worker", "node", "driver"], seconds=300)
            assert report.n_lost_rows == 0
            assert report.n_attempts > 40
            assert_ended_once(fire.project, 40)
        finally:
            fire.close()
