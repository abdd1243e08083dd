#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write the manual pages and the completion of bash: manual.py FOLDER IMAGE_TOOL VERSION EPOCH MAINTAINER.

All of it comes from what the programs themselves say: eidolon.1 and the completion from the launcher's own parsers,
eidolon-image.1 from the image tool's help, eidolon-format.5 from docs/disk-format.md. So it cannot be about other options
than there are. CHANGELOG.md becomes a changelog of Debian.
"""

import argparse
import calendar
import os
import re
import subprocess
import sys
import textwrap
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tools"))
from launcher import cli, ctl  # noqa: E402
from launcher.common import as_installed  # noqa: E402

OF_FILES = ("FILE", "FOLDER", "DIR", "NEW.img")  # values that are names of files
WITHOUT_PARSER = ("image", "help")  # the first becomes another program

AFTER = {
    "ENVIRONMENT": [("XDG_DATA_HOME", "where an installed eidolon keeps its image, in the folder eidolon; ~/.local/share if it is not set")],
    "EXIT STATUS": [("0", "done; of run: the last program to end said so"), ("1", "it could not be done, and a line says why"),
                    ("2", "the command line is wrong")],
}


class Found(Exception):
    """A command has made its parser, which is all that is wanted of it."""


def parser_of(name):
    """The parser of one of the launcher's commands; None: it has none of its own."""
    if name in WITHOUT_PARSER:
        return None

    def stop(self, *_, **__):
        raise Found(self)

    kept = cli.Parser.parse_known_args
    cli.Parser.parse_known_args = stop
    try:
        cli.COMMANDS[name](["--help"])
    except Found as found:
        return found.args[0]
    except cli.Failure:
        return None
    finally:
        cli.Parser.parse_known_args = kept
    return None


def options_of(parser):
    """The actions of a parser that are options for people: --help and what else begins with a dash."""
    return [action for action in parser._actions if action.option_strings and action.help is not argparse.SUPPRESS]


def value_of(action):
    """What stands behind an option: one of its choices, or what its value is called; "": nothing."""
    if action.nargs == 0:
        return ""
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.metavar or action.dest.upper()


# roff --------------------------------------------------------------------------------------------------------------------


def roff(text):
    """Text as it is, for roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)


def head(name, section, purpose, version, epoch):
    date = time.strftime("%Y-%m-%d", time.gmtime(epoch))
    return [f'.TH {name.upper()} {section} {date} "Eidolon {version}" "Eidolon"', ".SH NAME", f"{roff(name)} \\- {roff(purpose)}"]


def paragraphs(text):
    """Prose and indented examples."""
    lines = []
    for part in re.split(r"\n\s*\n", text.strip("\n")):
        is_example = any(line.startswith("  ") for line in part.splitlines())
        lines += [".PP", ".nf" if is_example else "", roff(as_installed(part)), ".fi" if is_example else ""]
    return [line for line in lines if line]


def tagged(term, text):
    return [".TP", f".B {roff(term)}", roff(as_installed(text))]


def help_of(parser, action):
    return parser._get_formatter()._expand_help(action) if action.help else ""


def launcher_page(version, epoch):
    overview = as_installed(cli.OVERVIEW)
    lines = head("eidolon", 1, "run programs whose memory does not go away", version, epoch)
    lines += [".SH SYNOPSIS", ".nf", roff("eidolon COMMAND [OPTIONS]"), ".fi", ".SH COMMANDS"]
    for term, purpose in re.findall(r"^  (\S.{36}) (\S.*)$", overview, re.MULTILINE):
        lines += tagged(term.strip(), purpose)
    lines += [".PP", roff("run, ctl, branch, torture, image and help are there in every installation; the others work on the sources, in a checkout.")]
    for name in cli.COMMANDS:
        parser = parser_of(name)
        if parser is None or name.startswith("-"):
            continue
        lines += [f".SH {roff(name.upper())}", *paragraphs(parser.description or "")]
        for action in options_of(parser):
            lines += tagged(" ".join(filter(None, (", ".join(action.option_strings), value_of(action)))), help_of(parser, action))
        lines += paragraphs(parser.epilog or "")
    for title, rows in AFTER.items():
        lines.append(f".SH {title}")
        for row in rows:
            lines += tagged(*row)
    lines += [".SH SEE ALSO", ".BR eidolon\\-image (1),", ".BR eidolon\\-format (5),", ".BR qemu\\-system\\-i386 (1)"]
    return "\n".join(lines) + "\n"


def tool_help(tool, *words):
    return subprocess.run([tool, *words, "--help"], check=True, capture_output=True, text=True).stdout


def tool_commands(tool):
    """Of the image tool: name, arguments, purpose of each command."""
    names = re.findall(r"^  ([a-z]+) ", tool_help(tool), re.MULTILINE)
    found = []
    for name in names:
        usage, _, purpose = tool_help(tool, name).partition("\n")
        found.append((name, usage.partition(f" {name} ")[2], purpose.strip()))
    return found


def image_page(tool, version, epoch):
    lines = head("eidolon-image", 1, "look into an image of Eidolon, check it, name its generations", version, epoch)
    lines += [".SH SYNOPSIS", ".nf", roff("eidolon image COMMAND FILE ..."), ".fi", ".SH DESCRIPTION"]
    for name, arguments, purpose in tool_commands(tool):
        lines += tagged(f"{name} {arguments}", purpose)
    lines += paragraphs(tool_help(tool).rpartition("\n\n")[2])
    lines += [".SH SEE ALSO", ".BR eidolon (1),", ".BR eidolon\\-format (5)"]
    return "\n".join(lines) + "\n"


def table(rows):
    """Rows of a table of Markdown, for tbl."""
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))] for row in rows]
    cells = [row for row in cells if not all(re.fullmatch(r"-*", cell) for cell in row)]
    width = max(map(len, cells))
    lines = [".TS", "allbox;", " ".join(["lb"] * width), " ".join(["l"] * (width - 1) + ["lx"]) + "."]
    for row in cells:
        lines.append("\t".join(f"T{{\n{roff(plain(cell)) or '.'}\nT}}" if cell else "" for cell in row + [""] * (width - len(row))))
    return [*lines, ".TE"]


def plain(text):
    """Markdown without its marks."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\*\*|`", "", text)
    return re.sub(r"(?<!\w)\*(\w[^*]*)\*", r"\1", text)


def format_page(version, epoch):
    with open(os.path.join(ROOT, "docs", "disk-format.md"), encoding="utf-8") as file:
        parts = re.split(r"\n\s*\n", file.read())
    lines = ["'\\\" t", *head("eidolon-format", 5, "the bytes of an image of Eidolon", version, epoch), ".SH DESCRIPTION"]
    for part in parts:
        rows = part.splitlines()
        if part.startswith("# "):
            continue
        if part.startswith("#"):
            title = rows[0].lstrip("# ")
            lines += [f".{'SH' if part.startswith('## ') else 'SS'} {roff(plain(title))}"]
            rows = rows[1:]
            if not rows:
                continue
        if rows[0].startswith("|"):
            lines += table(rows)
        elif rows[0].startswith("    "):
            lines += [".PP", ".nf", roff("\n".join(rows)), ".fi"]
        elif rows[0].startswith(("- ", "1. ")):
            for item in re.split(r"\n(?=- |\d+\. )", "\n".join(rows)):
                mark, _, text = item.partition(" ")
                lines += [f".IP {roff(mark) if mark != '-' else '*'} 3", roff(plain(re.sub(r"\n\s+", "\n", text)))]
        else:
            lines += [".PP", roff(plain("\n".join(rows)))]
    lines += [".SH SEE ALSO", ".BR eidolon\\-image (1)"]
    return "\n".join(lines) + "\n"


# bash --------------------------------------------------------------------------------------------------------------------

COMPLETION = """\
# bash completion for eidolon(1); made from the launcher's own parsers by packaging/manual.py.

_eidolon()
{{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command=${{COMP_WORDS[1]}} i
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "{commands}" -- "$word"))
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do # behind -- there is a program, and its arguments
        if [ "${{COMP_WORDS[i]}}" = -- ]; then
            compopt -o default
            return
        fi
    done
    case "$command $before" in
{values}
    esac
    case "$command" in
{options}
    esac
}}
complete -F _eidolon eidolon ./eidolon
"""


def reply(words, indent, pattern):
    return f'{indent}{pattern}) COMPREPLY=($(compgen -W "{words}" -- "$word")); return ;;'


def completion(tool):
    """Words are letters, digits and dashes: nothing in them means anything to a shell."""
    commands = [name for name in cli.COMMANDS if not name.startswith("-")]
    values = [reply(" ".join(commands), "        ", '"help "*'), reply(" ".join(name for name, *_ in tool_commands(tool)), "        ", '"image image"')]
    options = ["        image) compopt -o default; return ;;"]
    for name in commands:
        parser = parser_of(name)
        if parser is None:
            continue
        for action in options_of(parser):
            for option in action.option_strings:
                if action.choices:
                    values.append(reply(" ".join(action.choices), "        ", f'"{name} {option}"'))
                elif value_of(action):
                    what = "compopt -o default; return" if action.metavar in OF_FILES else "return"
                    values.append(f'        "{name} {option}") {what} ;;')
        words = [option for action in options_of(parser) for option in action.option_strings]
        words += [choice for action in parser._actions if not action.option_strings for choice in action.choices or ()]
        words += list(ctl.COMMANDS) if name == "ctl" else []
        words += ["--"] if name in ("run", "torture") else []
        options.append(reply(" ".join(words), "        ", name))
    return COMPLETION.format(commands=" ".join(commands), values="\n".join(values), options="\n".join(options))


# Debian's changelog -------------------------------------------------------------------------------------------------------


def debian_changelog(maintainer, epoch):
    """CHANGELOG.md, in the form that Debian's tools read. What is not released yet has the date of the build."""
    with open(os.path.join(ROOT, "CHANGELOG.md"), encoding="utf-8") as file:
        releases = re.split(r"^## ", file.read(), flags=re.MULTILINE)[1:]
    parts = []
    for release in releases:
        title, _, text = release.partition("\n")
        version, _, date = title.partition(" - ")
        when = calendar.timegm(time.strptime(date, "%Y-%m-%d")) if date != "unreleased" else epoch
        items = re.findall(r"^- (.*(?:\n  .*)*)", text, re.MULTILINE)
        items = [textwrap.fill(plain(re.sub(r"\s+", " ", item)), 76, initial_indent="  * ", subsequent_indent="    ") for item in items]
        stamp = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(when))
        parts.append(f"eidolon ({version}) unstable; urgency=medium\n\n" + "\n".join(items) + f"\n\n -- {maintainer}  {stamp}\n")
    return "\n".join(parts)


def main(words):
    if len(words) != 5:
        sys.exit(__doc__)
    folder, tool, version, epoch, maintainer = *words[:3], int(words[3]), words[4]
    os.makedirs(folder, exist_ok=True)
    for name, text in (("eidolon.1", launcher_page(version, epoch)), ("eidolon-image.1", image_page(tool, version, epoch)),
                       ("eidolon-format.5", format_page(version, epoch)), ("eidolon.bash", completion(tool)), ("changelog", debian_changelog(maintainer, epoch))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
