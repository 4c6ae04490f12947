"""The terminal at which somebody waits while PAM decides: Ctrl-C ends the wait, which `sudo` by itself would not do.

It uses the standard library alone, as every login waits for it.
"""

import os
import stat
import termios
from contextlib import suppress
from pathlib import Path

# Indexes into what tcgetattr returns: the local modes, and the special characters.
LOCAL, CHARACTERS = 3, 6


class Terminal:
    """Reads what is typed while it is open, which is neither shown nor kept; OSError if that isn't possible.

    The terminal's signals don't reach what PAM runs; with them off, Ctrl-C comes as a character (termios(3)).
    """

    def __init__(self, tty: str, leader: int) -> None:
        """`tty`: as PAM_TTY says it; `leader`: the program that somebody started there, and which asks PAM."""
        if not _is_in_foreground(leader):
            raise OSError("the terminal is another program's now")
        self.is_gone = False
        self.descriptor = os.open(Path("/dev") / tty, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            if not stat.S_ISCHR(os.fstat(self.descriptor).st_mode):
                raise OSError("it is no terminal")
            self._before = termios.tcgetattr(self.descriptor)
            changed = termios.tcgetattr(self.descriptor)
            changed[LOCAL] &= ~(termios.ISIG | termios.ICANON | termios.ECHO)
            termios.tcsetattr(self.descriptor, termios.TCSANOW, changed)
        except (OSError, termios.error) as error:
            os.close(self.descriptor)
            raise OSError(str(error)) from None

    def is_given_up(self) -> bool:
        """Whether Ctrl-C was typed; call it when there is something to read. Sets `is_gone` if it has gone."""
        try:
            typed = os.read(self.descriptor, 1024)
        except BlockingIOError:
            return False
        except OSError:
            typed = b""
        self.is_gone = not typed
        return any(self._before[CHARACTERS][one] in typed for one in (termios.VINTR, termios.VQUIT))

    def close(self) -> None:
        """Put the terminal's settings back."""
        with suppress(OSError, termios.error):
            termios.tcsetattr(self.descriptor, termios.TCSANOW, self._before)
        os.close(self.descriptor)


def _is_in_foreground(pid: int) -> bool:
    """Whether what is typed at its terminal is for this process (proc(5): pgrp and tpgid)."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[2] == fields[5]
