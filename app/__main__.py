"""``python -m app``: the window; with arguments, the command line. Imports only what it runs."""

from __future__ import annotations

import sys


def main() -> int:
    """Start the window or the command line; the exit code."""
    from app.errors import AppError
    from app.private_files import keep_to_this_user

    keep_to_this_user()
    try:
        if len(sys.argv) > 1:
            from app.cli.commands import run_command

            return run_command(sys.argv[1:])
        return _window()
    except AppError as error:
        print(error.message, error.hint, sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _window() -> int:
    from app.ui.display import has_display, require_libraries

    if has_display():
        require_libraries()
        from app.ui.main import run_window

        return run_window()
    from app.cli.commands import run_command
    from app.config import RESOURCES

    print("There is no screen here: indexing the sample pictures in the terminal instead.")
    return run_command(["index", str(RESOURCES / "samples"), "--name", "Sample pictures"])


if __name__ == "__main__":
    sys.exit(main())
