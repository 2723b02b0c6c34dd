"""The pages of this repository and what can be checked in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```", re.DOTALL | re.MULTILINE)
_SHELLS = ("", "sh", "bash", "shell", "console")
_ENDS = ("|", ">", ">>", "<", "&&", "||", ";", "&", "2>")


def prose(text: str) -> str:
    """Take fenced blocks and comments out of a page.

    Args:
        text: The page.

    Returns:
        What is left.
    """
    return re.sub(r"<!--.*?-->", "", _FENCE.sub("", text), flags=re.DOTALL)


def shell_commands(text: str) -> list[list[str]]:
    """Find the command lines in a page's fenced blocks.

    Args:
        text: The page.

    Returns:
        Each simple command as words: prompts, comments, redirections and what follows a pipe are left out.
    """
    commands = []
    for block in _FENCE.finditer(text):
        if block["language"] in _SHELLS:
            for line in block["body"].replace("\\\n", " ").splitlines():
                commands += simple_commands(line)
    return commands


def python_blocks(text: str) -> list[str]:
    """Find the Python code in a page's fenced blocks.

    Args:
        text: The page.

    Returns:
        Each block's lines.
    """
    return [block["body"] for block in _FENCE.finditer(text) if block["language"] == "python"]


def simple_commands(line: str) -> list[list[str]]:
    """Split a command line.

    Args:
        line: One line, with or without a prompt; output of a program gives words as well, which no caller asks for.

    Returns:
        Its simple commands as words.
    """
    try:
        lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # a quotation mark in what a program printed
        return []
    commands: list[list[str]] = [[]]
    redirected = False
    for word in words:
        if word in (">", ">>", "<"):
            redirected = True
        elif word in _ENDS:
            commands.append([])
        elif redirected:
            redirected = False
        else:
            commands[-1].append(word)
    return [words for words in commands if words]
