"""What a page and a call of ``grouper serve`` take: cold, warm, and with eight asking at once.

    python -P benchmarks/serve.py [--requests 200]

A real server in this process, asked over loopback; times are those of the client.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import uvicorn

from grouper.base.machine import peak_rss_mib
from grouper.commands.serve import free_port
from grouper.web.app import create_app
from grouper.web.settings import Settings

PAGE = (
    "/?dx=K80.000x002&dx=I50.900&proc=51.2300&sex=1&age_years=60&los_days=6&total_cost=12000"
    "&discharge_date=2025-06-10&insurance_type=310&hospital_level=3"
)
RECORD = {
    "diagnoses": ["K80.000x002", "I50.900"], "procedures": ["51.2300"], "sex": 1, "age_years": 60,
    "los_days": 6, "total_cost": "12000", "discharge_date": "2025-06-10", "insurance_type": "310",
    "hospital_level": "3",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=200)
    number = parser.parse_args().requests
    port = free_port("127.0.0.1")
    app = create_app(Settings(port=port, rate=1e9, burst=10**9), warm=False)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    base = f"http://127.0.0.1:{port}"

    def page(columns: str) -> Callable[[httpx.Client], httpx.Response]:
        return lambda client: client.get(base + PAGE + columns)

    def call(**asked: object) -> Callable[[httpx.Client], httpx.Response]:
        return lambda client: client.post(base + "/v1/case", json={"record": RECORD, **asked})

    asked = {
        "page, 2.0 beside 3.0": page("&a=chs-drg-2.0&b=chs-drg-3.0"),
        "page, two areas": page("&a=lishui/2022&b=yulin/2024"),
        "/v1/case, one scheme": call(schemes=["chs-drg-2.0"], alternatives=False),
        "/v1/case, one policy": call(policies=["lishui/2022"]),
        "/codes": lambda client: client.get(base + "/codes?q=ngs&of=dx&scheme=chs-drg-2.0"),
    }
    print(f"{'':24}{'cold':>9}{'p50':>9}{'p95':>9}{'p50 of 8':>10}{'p95 of 8':>10}  (ms)")
    for name, ask in asked.items():
        with httpx.Client(timeout=60) as client:
            cold = timed(ask, client)
            alone = [timed(ask, client) for _ in range(number)]
        with ThreadPoolExecutor(8) as pool:
            many = [t for part in pool.map(lambda _, a=ask: user(a, number // 8), range(8)) for t in part]
        p50, p95 = percentiles(alone)
        m50, m95 = percentiles(many)
        print(f"{name:24}{cold:9.0f}{p50:9.1f}{p95:9.1f}{m50:10.1f}{m95:10.1f}")
    print(f"peak memory {peak_rss_mib()} MiB")
    server.should_exit = True


def user(ask: Callable[[httpx.Client], httpx.Response], number: int) -> list[float]:
    with httpx.Client(timeout=60) as client:
        return [timed(ask, client) for _ in range(number)]


def timed(ask: Callable[[httpx.Client], httpx.Response], client: httpx.Client) -> float:
    begin = time.perf_counter()
    answer = ask(client)
    answer.raise_for_status()
    return (time.perf_counter() - begin) * 1000


def percentiles(times: list[float]) -> tuple[float, float]:
    return statistics.median(times), sorted(times)[int(len(times) * 0.95)]


if __name__ == "__main__":
    main()
