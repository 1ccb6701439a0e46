"""`completion`: what a shell needs to complete the command."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowstream.cli.output import Output

_BASH = """\
_rowstream() {{
  local words="{commands}" options=""
  if [ "$COMP_CWORD" -gt 1 ]; then
    words=""
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words $options" -- "${{COMP_WORDS[COMP_CWORD]}}"))
  if [ "$COMP_CWORD" -gt 1 ]; then
    COMPREPLY+=($(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}"))
  fi
}}
complete -o filenames -F _rowstream rowstream
"""


def add(commands: Any) -> None:
    """Add the subcommand to a parser."""
    parser = commands.add_parser(
        "completion",
        help="print a script for the shell",
        description="Print a script that completes subcommands and options: add"
        ' `eval "$(rowstream completion bash)"` to ~/.bashrc, the same with zsh to ~/.zshrc, or'
        " `rowstream completion fish | source` to config.fish.",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(run=lambda given, out: _run(given, out, commands))


def _run(given: argparse.Namespace, out: Output, commands: Any) -> None:
    options = {name: _options(one) for name, one in commands.choices.items()}
    if given.shell == "fish":
        for name, one in commands.choices.items():
            out.line(f"complete -c rowstream -n __fish_use_subcommand -f -a {name}")
            for option in _options(one):
                if option.startswith("--"):
                    out.line(
                        f"complete -c rowstream -n '__fish_seen_subcommand_from {name}'"
                        f" -l {option[2:]}"
                    )
        return
    cases = "\n".join(f'      {name}) options="{" ".join(of)}" ;;' for name, of in options.items())
    if given.shell == "zsh":
        out.line("autoload -Uz bashcompinit && bashcompinit")
    out.line(_BASH.format(commands=" ".join(options), cases=cases).rstrip())


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """Return the options of a subcommand, and the names of those below it."""
    found: list[str] = []
    for action in parser._actions:
        found += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            found += list(action.choices)
    return found
