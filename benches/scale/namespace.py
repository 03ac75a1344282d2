"""A loopback of our own, in a network namespace, where the system allows it: its packets are ours, and so are its ports."""

import os
import sys

ENTERED = "SKYNET_SCALE_NAMESPACE"


def enter_namespace():
    """Begins this program again in a namespace, as root. Otherwise it goes on where it is."""
    if os.geteuid() != 0 or os.environ.get(ENTERED) or os.system("unshare --net true 2>/dev/null") != 0:
        return
    os.environ[ENTERED] = "1"
    script = os.path.abspath(sys.argv[0])
    os.execvp("unshare", ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"', sys.executable, script,
                          *sys.argv[1:]])


def packets():
    """Packets and bytes of the loopback; nothing where it is not ours alone."""
    if not os.environ.get(ENTERED):
        return {}
    with open("/proc/net/dev", encoding="utf8") as file:
        fields = next(line for line in file if line.strip().startswith("lo:")).split(":")[1].split()
    return {"packets": int(fields[1]), "packet_bytes": int(fields[0])}
