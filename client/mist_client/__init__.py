"""Read medical scans from a folder, a bucket or a web address, at the resolution you want.

    import mist_client

    dataset = mist_client.open("s3://bucket/cxr")
    volume = dataset["scan-id"].read(size=224)

Bridges to frameworks are imported by name: `mist_client.torch_dataset`, `mist_client.monai_reader`.
"""

from mist.errors import MistError
from mist.volume import Volume
from mist_client.dataset import Dataset, open  # noqa: A004 - the fixed name, always written mist_client.open
from mist_client.scan import Scan

__all__ = ["Dataset", "MistError", "Scan", "Volume", "open"]
