"""Why a model pack could not be fetched.

PackError                a fishgate LoadError
├── HubError             the hub cannot be reached, or has not what is wanted
├── DiskFull             there is too little room
├── TemplateError        the committed card template is wrong
├── ForeignWeights       the published file is not what the card template describes
└── ForeignTexts         the published names and text embeddings are not what they should be

Each message fits one line and says what was wrong, what was seen and what is allowed.
"""

from __future__ import annotations

from fishgate.errors import LoadError


class PackError(LoadError):
    """A model pack could not be fetched; the one that was there before is untouched."""


class HubError(PackError):
    """The hub cannot be reached, or has not what is wanted."""


class DiskFull(PackError):
    """There is too little room for the download or for the pack."""


class TemplateError(PackError):
    """A card template, or what it is filled with, does not make a model card."""


class ForeignWeights(PackError):
    """The published file is unsafe, or its names and shapes are not those of the network."""


class ForeignTexts(PackError):
    """Published names or text embeddings have another form, or do not belong together or to the model."""


def in_one_line(error: BaseException) -> str:
    """Return a foreign error's text in one line of bounded length."""
    return " ".join(str(error).split())[:240] or type(error).__name__
