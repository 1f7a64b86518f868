"""What only a server can do to us: vanish, come back, not know us."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from postgres import fresh_schema, postgres_url, server  # noqa: F401
from store_cases import NOW, an_owner, claimed, some_specs, with_round
from tunebook.errors import StoreUnavailable
from tunebook.store.faults import Place, fault_of
from tunebook.store.store import Store

pytestmark = pytest.mark.slow


def test_a_restarted_server_is_found_again() -> None:
    with server() as started, Store.open(started.url) as store:
        with_round(store, 2)
        started.stop("fast")
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            store.counts("r")
        started.start()
        assert store.specs("r") == some_specs(2)
        assert len(claimed(store)) == 1


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
        Store.open("postgresql://me:secret@127.0.0.1:9/tuning")
    assert "127.0.0.1:9/tuning" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_not_there_is_told_with_the_way_to_make_it(postgres_url: str) -> None:  # noqa: F811
    url = sa.make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(StoreUnavailable, match="nowhere does not exist; create it with createdb"):
        Store.open(url)


def test_the_address_for_others_keeps_what_it_takes_to_open(postgres_url: str) -> None:  # noqa: F811
    with Store.open(fresh_schema(postgres_url)) as store:
        with_round(store, 1)
        with Store.open(store.url) as again:
            assert again.specs("r") == some_specs(1)


def test_a_rule_of_the_tables_that_is_broken_stays_a_mistake_of_ours(postgres_url: str) -> None:  # noqa: F811
    with Store.open(fresh_schema(postgres_url)) as store:
        with_round(store, 1)
        with pytest.raises(sa.exc.IntegrityError) as caught:
            store.claim("r", owner=an_owner(), limit=1, now=NOW, lease_seconds=1, provenance="none")
    assert fault_of(caught.value, Place("x")) is None
