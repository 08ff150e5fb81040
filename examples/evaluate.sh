#!/usr/bin/env bash
# How well does it find, and read? Ingest a BEIR folder into a store of its own and compare the retrievers.
#   evaluate.sh [FOLDER]        FOLDER holds corpus.jsonl, queries.jsonl and qrels/test.tsv (.gz and .xz work, too)
set -euo pipefail

folder=${1:-$(dirname "$0")/beir}
first() { for file in "$@"; do if [ -e "$file" ]; then echo "$file"; return; fi; done; echo "none of: $*" >&2; return 2; }
corpus=$(first "$folder"/corpus.jsonl{,.gz,.xz})
queries=$(first "$folder"/queries.jsonl{,.gz,.xz})
qrels=$(first "$folder"/qrels/test.tsv "$folder"/qrels.tsv "$folder"/qrels/dev.tsv)

store=$(mktemp -d)
trap 'rm -rf "$store"' EXIT
export REATT_STORE=$store/store
reatt ingest --quiet "$corpus"
for retriever in words attention; do
    echo "== $retriever"
    reatt eval --queries "$queries" --qrels "$qrels" --retriever "$retriever"
done
echo "== hybrid, and its answers"
reatt eval --queries "$queries" --qrels "$qrels" --read
