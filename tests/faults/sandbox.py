"""A sandbox refuses system calls: a filter (seccomp), as containers and service managers set one."""

import ctypes
import errno
import platform
import signal
import struct
import time

from limits import answers, begin_connection
from subject import check, free_ports, until

NUMBERS = {
    "x86_64": {"accept": 43, "accept4": 288, "timerfd_create": 283, "timerfd_settime": 286},
    "aarch64": {"accept": 202, "accept4": 242, "timerfd_create": 85, "timerfd_settime": 86},
}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K
ALLOW, ERRNO = 0x7fff0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2


class Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("first", ctypes.c_char_p)]


def refuse(code, *names):
    """For `preexec_fn`: these system calls fail with the error `code` in the process."""
    known = NUMBERS.get(platform.machine(), {})
    check(all(name in known for name in names), f"{platform.machine()}: unknown numbers of system calls")
    steps = [(LOAD, 0, 0, 0)]
    for name in names:
        steps += [(EQUAL, 0, 1, known[name]), (RETURN, 0, 0, ERRNO | code)]
    steps.append((RETURN, 0, 0, ALLOW))
    code_of_filter = b"".join(struct.pack("HBBI", *step) for step in steps)
    system = ctypes.CDLL(None, use_errno=True)

    def install():
        program = Program(len(steps), code_of_filter)
        if system.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
                system.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0):
            raise OSError(ctypes.get_errno(), "the filter is refused")
    return install


def refused_accept(scene):
    """A filter that knows accept alone is enough. Without it no connection is accepted: no processor is burnt, and a line says so."""
    outcomes = []
    for code in (errno.EPERM, errno.ENOSYS):
        port, = free_ports(1)
        node = scene.again(preexec_fn=refuse(code, "accept4"))
        node.must("listen", port)
        check(answers(port), "a client is not answered, by accept")
        node = scene.again(preexec_fn=refuse(code, "accept", "accept4"))
        node.must("listen", port)
        client = begin_connection(port)
        until(lambda node=node: lines(node), "no line says that nothing is accepted")
        share = busy(node)
        check(share < 0.5, f"{share:.0%} of a processor while nothing can be done")
        node.lives()
        told = lines(node)
        check(len(told) == 1, f"{len(told)} lines")
        check("seccomp" in told[0], f"no advice: {told}")
        client.close()
        outcomes.append(f"{errno.errorcode[code]} {share:.1%} CPU")
    return f"lives, one line, {', '.join(outcomes)}"


def busy(node):
    """The part of a processor that it takes."""
    used, begin = node.cpu(), time.monotonic()
    time.sleep(1)
    return (node.cpu() - used) / (time.monotonic() - begin)


def lines(node):
    return [line for line in node.log if "can't accept" in line]


def refused_timers(scene):
    """No timer of the kernel can be made, or none be set: services sleep, sockets are served, and the node ends when it has to."""
    for name in ("timerfd_create", "timerfd_settime"):
        port, = free_ports(1)
        node = scene.again(preexec_fn=refuse(errno.EPERM, name))
        node.must("listen", port)
        node.lives()
        check(answers(port), "a client is not answered")
        check(sum(name in line for line in node.log) == 1, f"no line: {node.log[-5:]}")
        share = busy(node)
        check(share < 0.5, f"{share:.0%} of a processor while nothing happens")
        node.begin("abort")
        status = node.ended()
        check(status == 0, f"abort: status {status}")
        node = scene.again(preexec_fn=refuse(errno.EPERM, name))
        node.lives()
        node.process.send_signal(signal.SIGTERM)
        status = node.ended()
        check(status == -signal.SIGTERM, f"SIGTERM: status {status}")
    return "lives, one line, ends by abort and by a signal"


FAULTS = {"refused-accept": refused_accept, "refused-timers": refused_timers}
