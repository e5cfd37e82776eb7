"""ONE-PEACE Server: the gateway, its engines and the contract of the model repository."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("onepeace-server")
except PackageNotFoundError:  # run from a source tree that was not installed
    __version__ = "0+unknown"
