"""A cluster with paydays behind it that is kept running, for what operators do afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.cluster import Cluster
from deploy.scenarios.runner import run_files

PAYDAYS = """
scenario: two paydays with a custodian that is late, rejects and mistakes a price
plans:
  ACME: {sources: [pre_tax, roth, match], default_fund: F1, trade_on: funding}
  BETA: {sources: [pre_tax], default_fund: F2, trade_on: file}
funds:
  F1: {share_decimals: 3}
  F2: {share_decimals: 4}
participants:
  P1: {plan: ACME, born: 1986-03-02, hired: 2020-01-06, elections: {F1: "60", F2: "40"}}
  P2: {plan: ACME, born: 1979-12-31, hired: 2021-05-03}
  P3: {plan: ACME, born: 1990-07-04, hired: 2019-02-01, elections: {F1: "33.33", F2: "66.67"}}
  Q1: {plan: BETA, born: 1991-01-01, hired: 2022-03-01}
  Q2: {plan: BETA, born: 1992-02-02, hired: 2022-03-01, elections: {F1: "50", F2: "50"}}
days:
  - date: 2026-11-20
    events:
      - {contribution: c1, participant: P1, payroll: R1, pay_date: 2026-11-20, compensation: "4230.77",
         amounts: {pre_tax: "169.23", match: "84.61"}}
      - {contribution: c2, participant: P2, payroll: R1, pay_date: 2026-11-20, compensation: "5000.00",
         amounts: {pre_tax: "500.01", roth: "0.07"}}
      - {contribution: c3, participant: P3, payroll: R1, pay_date: 2026-11-20, compensation: "3000.00",
         amounts: {roth: "99.99", after_tax: "10.00"}}
      - {resend: c1}
      - {resend_changed: c2, amounts: {pre_tax: "1.00"}}
      - {funding: R1}
      - {contribution: d1, participant: Q1, payroll: S1, pay_date: 2026-11-20, compensation: "3000.00",
         amounts: {pre_tax: "77.77"}}
      - {contribution: d2, participant: Q2, payroll: S1, pay_date: 2026-11-20, compensation: "3000.00",
         amounts: {pre_tax: "33.33"}}
    prices: {F1: "23.47", F2: "13.33"}
    custodian:
      orders:
        - {fund: F1, plan: ACME, side: buy, action: misprice}
        - {fund: F2, plan: BETA, side: buy, action: reject}
    expect: {proof: ok}
  - date: 2026-11-23
    events:
      - {election: P1, funds: {F2: "100"}}
      - {contribution: c4, participant: P1, payroll: R2, pay_date: 2026-11-23, compensation: "4230.77",
         amounts: {pre_tax: "169.23"}}
      - {contribution: c5, participant: P2, payroll: R2, pay_date: 2026-11-23, compensation: "5000.00",
         amounts: {pre_tax: "123.45"}}
      - {funding: R2}
    prices: {F1: "23.90", F2: "13.01"}
    custodian: {orders: [{fund: F2, plan: ACME, side: buy, action: late}]}
    expect: {proof: ok}
"""
FIRST, SECOND = "2026-11-20", "2026-11-23"


async def operated_cluster(
    folder: Path,
    *,
    partitions: int = 4,
    text: str = PAYDAYS,
    on_start: Callable[[Cluster], None] | None = None,
    **options: Any,
) -> Cluster:
    """Play the scenario on a fresh cluster and leave it running; the caller stops it. Every day must be proven.

    ``on_start`` is told of the cluster before anything is published; ``options`` are further ones of ``Cluster.start``.
    """
    file = folder / "paydays.yaml"
    file.write_text(text)
    kept: list[Cluster] = []

    async def start(_: Path, partitions: int, workers: int, actions: Path) -> Kept:
        own = folder / "custodian-actions.json"
        own.write_bytes(actions.read_bytes())
        cluster = await Cluster.start(folder / "cluster", partitions=partitions, custodian_actions=own, **options)
        kept.append(cluster)
        if on_start is not None:
            on_start(cluster)
        return Kept(cluster)

    try:
        (run,) = await run_files([file], partitions=partitions, cluster_factory=start)
        assert not run.differences, [str(difference) for difference in run.differences]
    except BaseException:
        for cluster in kept:
            await cluster.stop()
        raise
    return kept[0]


class Kept:
    """The cluster as the scenario runner sees it, only that it is not stopped when the scenario is over."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @property
    def bootstrap(self) -> str:
        return self._cluster.bootstrap

    def web_url(self, service: str, index: int = 0) -> str:
        return self._cluster.web_url(service, index)

    async def stop(self) -> None:
        """Stays."""
