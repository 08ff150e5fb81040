"""Write completion scripts for bash, zsh and fish from one tree of commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

HEADER = "# Completion of `reatt`; made by `make completions`, not by hand.\n"


@dataclass(frozen=True)
class Value:
    """The values possible in one place: one of `words`, or a `kind`: folder, file, id, document, model, text."""

    kind: str
    words: tuple[str, ...]
    repeats: bool


@dataclass(frozen=True)
class Option:
    """An option under all its names; without a value it is a flag."""

    names: tuple[str, ...]
    help: str
    value: Value | None


@dataclass(frozen=True)
class Node:
    """A command, or a group of them."""

    path: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    arguments: tuple[Value, ...]
    children: tuple[Node, ...]

    @property
    def key(self) -> str:
        """The name of the command within a script, such as " models add"."""
        return "".join(f" {word}" for word in self.path)

    def walk(self) -> Iterator[Node]:
        """Yield the command and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def bash(root: Node) -> str:
    """Write the script for bash 4 and later. An option has the same values in every command."""
    nodes = list(root.walk())
    known = "|".join(f'"{node.key}"' for node in nodes if node.path)
    places = "".join(_bash_place(node) for node in nodes)
    options = {name: option.value for node in nodes for option in node.options if option.value for name in option.names}
    after = "".join(f"        {name}) {_bash_value(value)}; return ;;\n" for name, value in sorted(options.items()))
    return HEADER + _BASH % {"known": known, "after": after, "places": places}


def zsh(root: Node) -> str:
    """Write the script for zsh: one function per command, with `_arguments`."""
    functions = "".join(_zsh_function(node) for node in root.walk())
    return "#compdef reatt\n" + HEADER + _ZSH_VALUES + functions + _ZSH_END


def fish(root: Node) -> str:
    """Write the script for fish: one `complete` line for each possible value."""
    nodes = list(root.walk())
    known = " ".join(f'"{node.key}"' for node in nodes if node.path)
    lines = [line for node in nodes for line in _fish_lines(node)]
    return HEADER + _FISH % {"known": known} + "\n".join(lines) + "\n"


GENERATORS: dict[str, Callable[[Node], str]] = {"bash": bash, "zsh": zsh, "fish": fish}

_BASH = """_reatt_values() {
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
        %(known)s) path+=" ${COMP_WORDS[i]}" ;;
        esac
    done
    case "$previous" in
%(after)s    esac
    case "$path" in
%(places)s    esac
}

complete -F _reatt reatt
"""

_ZSH_VALUES = """
_reatt_values() {
    local -a rows found
    rows=("${(@f)$(reatt values "$1" "$PREFIX" "${words[@]}" 2>/dev/null)}")
    rows=("${(@)rows:#}")
    found=("${(@)${(@)rows//:/\\\\:}//$'\\t'/:}")
    (( $#found )) && _describe "$1" found
}
"""

_ZSH_END = """
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _reatt "$@"
else
    compdef _reatt reatt
fi
"""

# An action that starts with a space is called unchanged; others get options of `compadd` as first arguments.
_ZSH_ACTIONS = {
    "file": "_files",
    "folder": "_files -/",
    "id": " _reatt_values id",
    "document": '_alternative "ids\\:id\\: _reatt_values document" "files\\:file\\:_files"',
    "model": " _reatt_values model",
    "text": " ",
}

_FISH = """function __reatt_at
    set -l path ""
    for word in (commandline -opc)[2..-1]
        switch "$path $word"
            case %(known)s
                set path "$path $word"
        end
    end
    test "$path" = "$argv[1]"
end

function __reatt_values
    reatt values $argv[1] (commandline -ct) (commandline -opc)[2..-1] 2>/dev/null
end

complete -c reatt -f
"""

_BASH_FILES = 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen {} -- "$current")'


def _bash_value(value: Value) -> str:
    if value.kind == "words":
        return f'mapfile -t COMPREPLY < <(compgen -W "{" ".join(value.words)}" -- "$current")'
    if value.kind in ("file", "folder"):
        return _BASH_FILES.format("-f" if value.kind == "file" else "-d")
    if value.kind == "document":
        return f"_reatt_values document; [[ ${{#COMPREPLY[@]}} -gt 0 ]] || {{ {_BASH_FILES.format('-f')}; }}"
    return ":" if value.kind == "text" else f"_reatt_values {value.kind}"


def _bash_place(node: Node) -> str:
    """Complete a position that is not an option's value: options, commands, or the argument."""
    names = " ".join(name for option in node.options for name in option.names)
    words = " ".join(child.path[-1] for child in node.children)
    otherwise = _bash_value(Value("words", tuple(words.split()), False)) if words else ":"
    if node.arguments:
        otherwise = _bash_value(node.arguments[-1])
    return f"""    "{node.key}")
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "{names}" -- "$current")
        else
            {otherwise}
        fi
        ;;
"""


def _zsh_function(node: Node) -> str:
    name = "_".join(("_reatt", *node.path))
    specs = [spec for option in node.options for spec in _zsh_option(option)]
    specs += [
        f"'{'*' if value.repeats else index}:{_zsh_value(value)}'" for index, value in enumerate(node.arguments, 1)
    ]
    if not node.children:
        return f"\n{name}() {{\n    _arguments -s -S \\\n        " + " \\\n        ".join(specs) + "\n}\n"
    described = " ".join(f"'{child.path[-1]}:{_zsh_text(child.help)}'" for child in node.children)
    cases = "".join(f"        {child.path[-1]}) {'_'.join((name, child.path[-1]))} ;;\n" for child in node.children)
    specs += ["'1: :->command'", "'*:: :->rest'"]
    listed = " \\\n        ".join(specs)
    return f"""
{name}() {{
    local curcontext=$curcontext state line
    typeset -A opt_args
    local -a commands=({described})
    _arguments -C \\
        {listed}
    case $state in
    command) _describe command commands ;;
    rest)
        case $words[1] in
{cases}        esac
        ;;
    esac
}}
"""


def _zsh_option(option: Option) -> list[str]:
    value = f":{_zsh_value(option.value)}" if option.value else ""
    once = "*" if option.value and option.value.repeats else f"({' '.join(option.names)})"
    joined = {name: "=" if value and name.startswith("--") else "+" if value else "" for name in option.names}
    return [f"'{once}{name}{joined[name]}[{_zsh_text(option.help)}]{value}'" for name in option.names]


def _zsh_value(value: Value) -> str:
    """Write what comes after the colon of a spec: a message and an action."""
    if value.kind == "words":
        return f"value:({' '.join(value.words)})"
    return f"{value.kind}:{_ZSH_ACTIONS[value.kind]}"


def _zsh_text(text: str) -> str:
    for character in "[]:":
        text = text.replace(character, "\\" + character)
    return text.replace("'", "'\\''")


def _fish_lines(node: Node) -> Iterator[str]:
    start = f"complete -c reatt -n '__reatt_at \"{node.key}\"'"
    for child in node.children:
        yield f"{start} -a {child.path[-1]} -d {_fish_text(child.help)}"
    for option in node.options:
        names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
        value = f" -r{_fish_value(option.value)}" if option.value else ""
        yield f"{start} {names}{value} -d {_fish_text(option.help)}"
    if node.arguments and (value := _fish_value(node.arguments[-1])):
        yield f"{start}{value}"


def _fish_value(value: Value) -> str:
    if value.kind == "words":
        return f" -a {_fish_text(' '.join(value.words))}"
    looked_up = {"file": " -F", "folder": " -a '(__fish_complete_directories)'", "text": ""}
    if value.kind == "document":
        return " -F -a '(__reatt_values document)'"
    return looked_up.get(value.kind, f" -a '(__reatt_values {value.kind})'")


def _fish_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
