"""Starts one process so that it never outlives its supervisor; run with `python -I -S`, replaced by what it starts.

    launch.py PARENT_PID SIGNAL USER -- ARGV…

On Linux the kernel sends SIGNAL to the process when the supervisor dies, however it dies. With a USER the process
runs as that one: PostgreSQL refuses to be root. It keeps the single right to pass folders that are closed to others,
so that no permission of a root's home needs to be opened. An empty USER changes nothing.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def become(user: str) -> None:
    """Give up root for `user`, keeping the right to pass closed folders."""
    libc = ctypes.CDLL(None, use_errno=True)
    entry = pwd.getpwnam(user)
    _must(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    mask = 1 << CAP_DAC_OVERRIDE
    sets = (_Sets * 2)(_Sets(mask, mask, mask), _Sets(0, 0, 0))
    _must(libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), sets), "set capabilities")
    _must(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0), "hand capabilities on")


def die_with(parent: int, signal: int) -> None:
    """Have the kernel send `signal` when the parent dies; end at once where it is dead already."""
    libc = ctypes.CDLL(None, use_errno=True)
    _must(libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "follow the supervisor")
    if os.getppid() != parent:
        sys.exit(1)


def _must(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"could not {what}")


def main(arguments: list[str]) -> None:
    parent, signal, user, _, *argv = arguments
    if user:
        become(user)
    if sys.platform == "linux":
        die_with(int(parent), int(signal))  # after the change of user, which would clear it
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1:])
