#!/bin/sh
# Tell the Prefect server of the work pool, its queues and their limits, the deployments and their schedules, and the
# automations for lost runs. Can be run again at any time: after an upgrade, or to change a limit.
#
#     deploy/register.sh [STORE_DAYS_SIDE_BY_SIDE]     default 1
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
at_once=${1:-1}

prefect --no-prompt work-pool create aisleflow --type process --overwrite
prefect --no-prompt deploy --all
prefect work-queue set-concurrency-limit stores "$at_once" --pool aisleflow
# create would add a second automation of the same name; where there is none yet, delete has nothing to do
for name in aisleflow-lost-runs aisleflow-lost-starts; do
    prefect --no-prompt automation delete "$name" >/dev/null 2>&1 || :
done
prefect automation create --from-file deploy/automations.yaml
