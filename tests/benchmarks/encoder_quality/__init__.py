"""Frozen-feature evidence for a small encoder: labels, scales, stability and clusters.

    python -m tests.benchmarks.encoder_quality [--encoder ID ...] [--weights NAME=FILE ...]

Compares encoders of the catalogue with the same architecture untrained, with colour and texture
statistics, and with a MobileNetV2 trained on photographs. `--help` lists what can be asked for.
"""
