"""Names the block devices of the machine, beside the target: {"device": "259:1", "name": "nvme0n1p1"}."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation, emit

MOST_DEVICES = 1000


def tell_devices(_observation: "Observation") -> None:
    """Print them by number."""
    folder = "/sys/dev/block"
    try:
        numbers = os.listdir(folder)[:MOST_DEVICES]
    except OSError:
        return
    for number in numbers:
        try:
            emit(
                {
                    "device": number,
                    "name": os.path.basename(os.readlink(os.path.join(folder, number))),
                }
            )
        except OSError:
            continue


EXTRA = tell_devices
