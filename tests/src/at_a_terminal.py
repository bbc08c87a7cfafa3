"""Runs a command at a terminal of its own, because some commands ask nowhere else, and answers every question.

The answers are one a line; the last one answers every question that is left.
"""

import os
import pty
import sys
import time

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
said, answers = b"", sys.argv[1].encode().split(b"\n")
while True:
    try:
        more = os.read(terminal, 1024)
    except OSError:
        break
    if not more:
        break
    said += more
    if more.rstrip().endswith(b":"):
        # A person takes as long too, and the prompt appears before the terminal hides the input.
        time.sleep(0.2)
        os.write(terminal, (answers.pop(0) if len(answers) > 1 else answers[0]) + b"\n")
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stderr.buffer.write(said)
sys.exit(status)
