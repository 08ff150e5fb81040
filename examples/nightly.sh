#!/usr/bin/env bash
# Bring a store up to date with a folder; made for cron, so it is silent when all is well.
#   nightly.sh FOLDER                          REATT_STORE names the store
#   17 2 * * *  REATT_STORE=/srv/store  /usr/local/bin/nightly.sh /srv/papers
# A run that was killed needs no care: the next one goes on where it stopped.
set -euo pipefail

folder=${1:?usage: nightly.sh FOLDER}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

code=0
reatt ingest --json "$folder" >"$work/report.json" 2>"$work/error" || code=$?
case $code in
    0) ;;
    3) # Everything readable is in; say what was not, and what would help.
        reatt status --problems
        ;;
    11) # Another ingest holds the store. It may well be last night's; tomorrow will do.
        echo "nightly: skipped, another ingest is running" >&2
        ;;
    *)
        echo "nightly: reatt ingest ended with $code" >&2
        cat "$work/error" >&2
        exit "$code"
        ;;
esac

# The sums of everything stored, once a week; only what is damaged is told.
if [ "$(date +%u)" = 7 ]; then
    reatt check >"$work/check" 2>&1 || { code=$?; cat "$work/check" >&2; exit "$code"; }
fi
