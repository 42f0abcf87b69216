"""The data of the book. Nothing is downloaded: each corpus comes from an installed package, or from us.

- :mod:`~transformer_essentials.corpora.dates`: a date written out in two languages, by Babel; characters.
- :mod:`~transformer_essentials.corpora.grammar`: English and French sentences from a small grammar; words.
- :mod:`~transformer_essentials.corpora.docstrings`: the English of scientific Python, from its docstrings.
- :mod:`~transformer_essentials.corpora.labelled`: texts with tags, answers, labels and summaries; made, but one.
- :mod:`~transformer_essentials.corpora.parallel`: your own pairs of sentences, from a file.

Each function returns the same thing for the same arguments on every machine. Import the one that you need:
``from transformer_essentials.corpora import dates``.
"""

from transformer_essentials.corpora.pair import Pair

__all__ = ["Pair"]
