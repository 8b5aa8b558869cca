"""What is seen in napari. Only this folder knows Qt and napari."""
