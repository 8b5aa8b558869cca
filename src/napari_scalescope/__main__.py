"""`python -m napari_scalescope` is `scalescope`."""

from .cli import main

main()
