"""A process at a terminal of its own, and what the terminal then shows."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

SECONDS = 120


class Terminal:
    """A command that runs at a pseudo terminal.

    `size` is (rows, columns). `stdin`, `stdout` and `stderr` replace the terminal for one stream.
    """

    def __init__(self, command, *, size=(24, 80), env=None, **streams):
        self.master, slave = pty.openpty()
        self.output = b""
        self.resize(*size)
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), slave) | streams
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            list(map(str, command)),
            env=environment | {"TERM": "xterm"} | (env or {}),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
            pass_fds=[slave],
            **streams,
        )
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def interrupt(self):
        """Type Ctrl-C when the process waits for input.

        Python handles a signal that comes just before a read only after the read. A person is too
        slow for that moment; a test is not.
        """
        stat = Path(f"/proc/{self.process.pid}/stat")
        while stat.exists() and stat.read_bytes().rpartition(b") ")[2][:1] in (b"R", b"D"):
            time.sleep(0.01)
        self.type("\x03")

    def wait_for(self, pattern):
        """Read until the output matches a regular expression."""
        end = time.monotonic() + SECONDS
        while not re.search(pattern, self.output.decode("utf-8", "replace")):
            assert time.monotonic() < end, self.output
            assert self._read() or re.search(pattern, self.output.decode("utf-8", "replace")), (
                self.output
            )

    def finish(self):
        """Read to the end; return the exit status and the lines that stay on the terminal."""
        while self._read():
            pass
        status = self.process.wait(SECONDS)
        return status, screen(self.output.decode("utf-8", "replace"))

    def _read(self):
        ready, _, _ = select.select([self.master], [], [], SECONDS)
        assert ready, self.output
        try:
            content = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            return False
        self.output += content
        return bool(content)


def screen(output):
    """The lines that a terminal shows after an output, were it high and wide enough."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\s\S]", output):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            column = 0
        elif part == "\x1b[K":
            lines[row] = lines[row][:column]
        elif part == "\x1b[A":
            row -= 1
        elif not part.startswith("\x1b"):
            line = lines[row].ljust(column)
            lines[row] = line[:column] + part + line[column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]
