"""The library of the book *Transformer Essentials*: one idea a file, each short enough to read
in one sitting.

Nothing is imported here, so that ``import transformer_essentials`` costs nothing. Import what you
need from its file: ``from transformer_essentials.attention import attend``.
"""

__version__ = "0.1.0"
