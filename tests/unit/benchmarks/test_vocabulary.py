"""The configurations of the suite `postbacks`, and the records before them."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from streams.config.load import load_directory
from tests.benchmarks import vocabulary, workload


@pytest.mark.parametrize("postbacks", [1, 10, 50])
def test_each_is_a_valid_configuration_of_so_many_postbacks(postbacks: int, tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text(vocabulary.configuration(postbacks))
    assert len(load_directory(path).postbacks) == postbacks


def test_a_device_has_all_sorts_of_events_and_each_sort_its_share() -> None:
    found = [(device, record["event_name"]) for device, record in workload.mixed(100, 10_000)]
    shares = Counter(name for _, name in found)
    for name, share in workload.MIXTURE.items():
        assert shares[name] == pytest.approx(share * 100, rel=0.2)
    device = found[0][0]
    assert len({name for one, name in found if one == device}) >= 4


def test_only_the_full_workload_has_user_ids() -> None:
    assert all("user_id" not in record for _, record in islice(workload.payments(10, 20, "plain"), 20))
    assert all("user_id" in record for _, record in workload.payments(10, 20, "full"))


def test_a_later_load_goes_on_where_the_first_ended() -> None:
    both = [*workload.payments(7, 5, "plain"), *workload.payments(7, 5, "plain", first=5)]
    assert both == list(workload.payments(7, 10, "plain"))
