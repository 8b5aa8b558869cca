"""The Embedding map dock: every encoded tile as a point, linked to the slide both ways.

`dock` wires what the others are: `toolbar` says what to do, `paint` turns a column of the session
into colours with a legend, `hover` shows the tile under the mouse, `cluster_table` lists clusters,
`panes` finds room for the table and the contact sheet beside the points.
"""

from .dock import EmbeddingMap

__all__ = ["EmbeddingMap"]
