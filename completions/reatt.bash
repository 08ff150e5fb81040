# Completion of `reatt`; made by `make completions`, not by hand.
_reatt_values() {
    mapfile -t COMPREPLY < <(reatt values "$1" "$current" "${COMP_WORDS[@]}" 2>/dev/null | cut -f 1)
}

_reatt() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} path="" i
    COMPREPLY=()
    # bash splits `--color=always` into three words
    if [[ $current == "=" ]]; then
        current=""
    elif [[ $previous == "=" ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$path ${COMP_WORDS[i]}" in
        " ingest"|" search"|" ask"|" adapt"|" list"|" show"|" remove"|" status"|" check"|" init"|" eval"|" serve"|" mcp"|" report"|" export"|" doctor"|" config"|" schema"|" completion"|" models"|" models list"|" models add"|" models use"|" models rollback"|" models probe"|" cluster"|" cluster ingest"|" cluster serve") path+=" ${COMP_WORDS[i]}" ;;
        esac
    done
    case "$previous" in
        --abstain) :; return ;;
        --accept) mapfile -t COMPREPLY < <(compgen -W "if-better always never" -- "$current"); return ;;
        --address) :; return ;;
        --after) :; return ;;
        --answer) mapfile -t COMPREPLY < <(compgen -W "auto span sentence" -- "$current"); return ;;
        --beams) :; return ;;
        --before) :; return ;;
        --close-from) :; return ;;
        --cluster) :; return ;;
        --color) mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$current"); return ;;
        --device) mapfile -t COMPREPLY < <(compgen -W "auto cpu cuda" -- "$current"); return ;;
        --encoding) :; return ;;
        --except) :; return ;;
        --exclude) :; return ;;
        --fields) :; return ;;
        --freeze) mapfile -t COMPREPLY < <(compgen -W "none retriever reader chunks" -- "$current"); return ;;
        --hold-out) :; return ;;
        --host) :; return ;;
        --id-field) :; return ;;
        --idle) :; return ;;
        --include) :; return ;;
        --judged) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --keep) :; return ;;
        --keys) mapfile -t COMPREPLY < <(compgen -W "int8 float16" -- "$current"); return ;;
        --limit) :; return ;;
        --max-file-size) :; return ;;
        --max-tokens) :; return ;;
        --method) mapfile -t COMPREPLY < <(compgen -W "reatt intra" -- "$current"); return ;;
        --minutes) :; return ;;
        --model) _reatt_values model; return ;;
        --name) :; return ;;
        --only) :; return ;;
        --out) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
        --output) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --password-file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --port) :; return ;;
        --preset) mapfile -t COMPREPLY < <(compgen -W "auto paper gpu laptop" -- "$current"); return ;;
        --print-config) mapfile -t COMPREPLY < <(compgen -W "claude-code codex vscode zed" -- "$current"); return ;;
        --progress) mapfile -t COMPREPLY < <(compgen -W "auto never json" -- "$current"); return ;;
        --qa) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --qrels) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --queries) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --report) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --retriever) mapfile -t COMPREPLY < <(compgen -W "attention words hybrid" -- "$current"); return ;;
        --rounds) :; return ;;
        --search) mapfile -t COMPREPLY < <(compgen -W "auto exact fast clusters two-stage" -- "$current"); return ;;
        --seed) :; return ;;
        --sentences) :; return ;;
        --shards) :; return ;;
        --spans) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --steps) :; return ;;
        --store) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
        --teacher) mapfile -t COMPREPLY < <(compgen -W "auto attention likelihood" -- "$current"); return ;;
        --text-field) :; return ;;
        --timeout) :; return ;;
        --top) :; return ;;
        --type) :; return ;;
        --workers) :; return ;;
        -k) :; return ;;
        -o) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    esac
    case "$path" in
    "")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --version" -- "$current")
        else
            mapfile -t COMPREPLY < <(compgen -W "ingest search ask adapt list show remove status check init eval serve mcp report export doctor config schema completion models cluster" -- "$current")
        fi
        ;;
    " ingest")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --include --exclude --prune --reencode --max-file-size --timeout --encoding --text-field --id-field --password-file --retry --dry-run --watch --method --keep-states --workers --store --json --quiet -q --verbose -v --color --progress --no-input --debug --model --device" -- "$current")
        else
            compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current")
        fi
        ;;
    " search")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --top -k --retriever --search --only --except --type --after --before --explain --fields --compact --ok-empty --cold --cluster --rounds --rerank-only --store --json --quiet -q --verbose -v --color --progress --no-input --debug --model --device" -- "$current")
        else
            :
        fi
        ;;
    " ask")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --top -k --retriever --search --only --except --type --after --before --free --beams --max-tokens --answer --abstain --explain --fields --compact --jsonl --ok-empty --cold --cluster --report --keep --rounds --rerank-only --no-context --store --json --quiet -q --verbose -v --color --progress --no-input --debug --model --device" -- "$current")
        else
            :
        fi
        ;;
    " adapt")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --qa --qrels --judged --spans --masked --minutes --steps --freeze --hold-out --close-from --preset --teacher --wait-for-teacher --seed --dry-run --resume --accept --exclude-source --method --warm-start --store --json --quiet -q --verbose -v --color --progress --no-input --debug --model --device" -- "$current")
        else
            :
        fi
        ;;
    " list")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --only --except --type --after --before --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            :
        fi
        ;;
    " show")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            _reatt_values id
        fi
        ;;
    " remove")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --dry-run --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            _reatt_values document; [[ ${#COMPREPLY[@]} -gt 0 ]] || { compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); }
        fi
        ;;
    " status")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --problems --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            :
        fi
        ;;
    " check")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --repair --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            :
        fi
        ;;
    " init")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current")
        fi
        ;;
    " eval")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --queries --qrels --retriever --search --read --limit --cluster --rounds --rerank-only --store --json --quiet -q --verbose -v --color --progress --no-input --debug --model --device" -- "$current")
        else
            :
        fi
        ;;
    " serve")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --idle --stop --http --host --port --store --json --quiet -q --verbose -v --color --progress --no-input --debug --model --device" -- "$current")
        else
            :
        fi
        ;;
    " mcp")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --print-config --limit --store --json --quiet -q --verbose -v --color --progress --no-input --debug --model --device" -- "$current")
        else
            :
        fi
        ;;
    " report")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --output -o --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            :
        fi
        ;;
    " export")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --keys --only --except --type --after --before --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current")
        fi
        ;;
    " doctor")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --store --json --quiet -q --verbose -v --color --progress --no-input --debug --model --device" -- "$current")
        else
            :
        fi
        ;;
    " config")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            :
        fi
        ;;
    " schema")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            :
        fi
        ;;
    " completion")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            mapfile -t COMPREPLY < <(compgen -W "bash zsh fish" -- "$current")
        fi
        ;;
    " models")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help" -- "$current")
        else
            mapfile -t COMPREPLY < <(compgen -W "list add use rollback probe" -- "$current")
        fi
        ;;
    " models list")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            :
        fi
        ;;
    " models add")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --name --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current")
        fi
        ;;
    " models use")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            :
        fi
        ;;
    " models rollback")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --store --json --quiet -q --verbose -v --color --progress --no-input --debug" -- "$current")
        else
            :
        fi
        ;;
    " models probe")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --sentences --choose --store --json --quiet -q --verbose -v --color --progress --no-input --debug --model --device" -- "$current")
        else
            :
        fi
        ;;
    " cluster")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help" -- "$current")
        else
            mapfile -t COMPREPLY < <(compgen -W "ingest serve" -- "$current")
        fi
        ;;
    " cluster ingest")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --shards --out --address --include --exclude --prune --reencode --max-file-size --timeout --encoding --text-field --id-field --retry --method --store --json --quiet -q --verbose -v --color --progress --no-input --debug --model --device" -- "$current")
        else
            compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current")
        fi
        ;;
    " cluster serve")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "-h --help --address --store --json --quiet -q --verbose -v --color --progress --no-input --debug --model --device" -- "$current")
        else
            :
        fi
        ;;
    esac
}

complete -F _reatt reatt
