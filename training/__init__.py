"""Training: from photographs to a model pack that ``fishgate`` loads. Imports fishgate, never the reverse."""
