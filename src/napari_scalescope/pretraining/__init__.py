"""Training small encoders across magnifications: sources, views, losses, recipes, runs."""
