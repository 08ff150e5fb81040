#!/usr/bin/env bash
# Answer a file of questions, one a line, with the model loaded once; write JSON Lines and say how it went.
#   batch.sh QUESTIONS [ANSWERS.jsonl]         REATT_STORE names the store
set -euo pipefail

questions=${1:?usage: batch.sh QUESTIONS [ANSWERS.jsonl]}
answers=${2:-answers.jsonl}

# To a temporary file first: a run that breaks off leaves no half list under the name others read.
part=$(mktemp "$answers.XXXXXX")
trap 'rm -f "$part"' EXIT
reatt ask - --jsonl <"$questions" >"$part"
mv "$part" "$answers"

python3 - "$answers" <<'PYTHON'
import json
import sys

replies = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
answered = [reply for reply in replies if not reply["abstained"]]
print(f"{len(replies)} questions, {len(answered)} answered")
for reply in sorted(answered, key=lambda reply: -reply["confidence"]):
    source = reply["evidence"][reply.get("source") or 0]
    page = f" p.{source['page']}" if source["page"] else ""
    print(f"{reply['confidence']:.2f}  {reply['question']}  {reply['answer']}  ({source['path']}{page})")
PYTHON
