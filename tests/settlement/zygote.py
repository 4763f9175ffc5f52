"""A process with everything loaded, that forks a settlement for each line it reads; for tests of full disks.

Reads JSON lines {"lake": folder, "limit": bytes or null}; answers the pid, then the exit status.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from pathlib import Path


def main() -> None:
    import duckdb  # noqa: F401
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    from grouper.base.errors import GrouperError
    from grouper.lake import Lake
    from grouper.payment.pool import settle, statement  # noqa: F401
    from grouper.payment.price import pricing  # noqa: F401
    from grouper.settlement.month import settle_month
    from grouper.settlement.plan.job import Job, load_grouper, make_plan

    job = Job.from_json(sys.argv[1])
    plans: dict[str, object] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        lake = Lake(Path(asked["lake"]))
        if asked["lake"] not in plans:
            plans.clear()
            plans[asked["lake"]] = _planned(make_plan, lake, job)
        pid = os.fork()
        if pid == 0:
            if asked["limit"]:
                resource.setrlimit(resource.RLIMIT_FSIZE, (asked["limit"],) * 2)
            try:
                settle_month(lake, job, plans[asked["lake"]], reports=False)  # type: ignore[arg-type]
                os._exit(0)
            except GrouperError as error:
                print(f"{error.en}", file=sys.stderr, flush=True)
                os._exit(error.exit_code)
            except BaseException:
                traceback.print_exc()
                os._exit(99)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    assert load_grouper


def _planned(make_plan: object, lake: object, job: object) -> object:
    """The plan, made in a child's stead without touching DuckDB before the forks."""
    return make_plan(lake, job)  # type: ignore[operator]


if __name__ == "__main__":
    main()
