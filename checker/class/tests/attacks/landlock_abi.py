#!/usr/bin/env python3
"""Runs a command on a kernel that reports another Landlock ABI: landlock_abi.py ABI COMMAND...

A seccomp filter hands every landlock_create_ruleset to this process, which answers the question for the version and lets
all other calls pass.
"""

import ctypes
import os
import platform
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
SECCOMP, CREATE_RULESET = {"x86_64": (317, 444), "aarch64": (277, 444)}[platform.machine()]
PR_SET_NO_NEW_PRIVS = 38
RECEIVE, SEND = 0xC0502100, 0xC0182101
ALLOW, ASK = 0x7FFF0000, 0x7FC00000
CONTINUE = 1


def listener():
    def step(code, yes, no, value):
        return struct.pack("HBBI", code, yes, no, value)

    # Load the number of the call; ask for one, allow all others.
    steps = [step(0x20, 0, 0, 0), step(0x15, 0, 1, CREATE_RULESET), step(0x06, 0, 0, ASK), step(0x06, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(steps))
    program = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code))
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # SECCOMP_SET_MODE_FILTER with SECCOMP_FILTER_FLAG_NEW_LISTENER.
    number = libc.syscall(SECCOMP, 1, 8, program)
    if number < 0:
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    return number


def answer(number, abi):
    request = ctypes.create_string_buffer(80)
    while libc.ioctl(number, RECEIVE, request) == 0:
        identity, _pid, _flags = struct.unpack_from("QII", request)
        attributes, _size, flags = struct.unpack_from("QQQ", request, 32)
        asks = attributes == 0 and flags == 1
        error = -95 if asks and abi == 0 else 0  # EOPNOTSUPP
        value, how = (abi, 0) if asks and abi else (0, 0) if asks else (0, CONTINUE)
        libc.ioctl(number, SEND, struct.pack("QqiI", identity, value, error, how))
        ctypes.memset(request, 0, 80)


abi, command = int(sys.argv[1]), sys.argv[2:]
number = listener()
child = os.fork()
if child == 0:
    os.close(number)
    os.execvp(command[0], command)
answering = os.fork()
if answering == 0:
    answer(number, abi)
    os._exit(0)
os.close(number)
_, status = os.waitpid(child, 0)
os.kill(answering, 9)
os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
