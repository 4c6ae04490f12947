"""`countersign-gate`: what a login on this host starts. It holds no secret: the gate service knows who calls.

It uses the standard library alone, and imports each command only when it is called.
"""

import sys

from countersign.gates.protocol import BAD_INPUT, INTERRUPTED

USAGE = """\
Usage: countersign-gate ssh [HOST PORT] [--no-wait | --ask-only] [--socket PATH]

ssh   asks whether you may connect to HOST, waits for the yes, and relays standard input and output to its PORT;
      with --ask-only it ends with the yes
pam   is started by PAM at a login, and lets it go on or refuses it
"""


def main() -> int:
    """Run one command; returns its exit code."""
    command, *arguments = sys.argv[1:] or [""]
    try:
        if command == "ssh":
            from countersign.gates import ssh

            return ssh.run(arguments)
        if command == "pam":
            from countersign.gates import pam

            return pam.run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    if command in {"-h", "--help", "help"}:
        sys.stdout.write(USAGE)
        return 0
    sys.stderr.write(USAGE)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
