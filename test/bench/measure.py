"""Runs a command and writes what the kernel says of it to a file, as JSON.

    python3 measure.py OUT NICE COMMAND [ARGUMENT...]

Wall time by the monotonic clock; CPU time and peak memory from wait4(2), so of the command and of
every process that it waited for. The peak is that of the largest single process among them. A small
program starts the command because a new process inherits the peak of the one that started it.
"""
import json
import os
import sys
import time

out, nice, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
os.nice(nice)
# What the program before wrote is on the disk: a sync of this one must not wait for it.
os.sync()
started = time.monotonic()
pid = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(pid, 0)
seconds = time.monotonic() - started
code = os.waitstatus_to_exitcode(status)
with open(out, "w", encoding="ascii") as file:
    json.dump(
        {
            "seconds": seconds,
            "cpuSeconds": usage.ru_utime + usage.ru_stime,
            "peakBytes": usage.ru_maxrss * 1024,
            "exitCode": code,
        },
        file,
    )
