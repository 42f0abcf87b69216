"""From translation to three families: the models of 2017 to 2020, when and how large.

Each fact says where it stands in the paper. Dates are those of the first public version: the
first version on arXiv, or the report where there is no other. Parameters are those of the largest
model of the paper, as it states them.
"""

from dataclasses import dataclass

ENCODER_DECODER, DECODER, ENCODER = "encoder–decoder", "decoder alone", "encoder alone"


@dataclass(frozen=True)
class Milestone:
    """One model. ``cite`` is its key in the bibliography."""

    name: str
    family: str
    year: int  # of the first public version
    month: int
    printed: int  # the year of the paper as it is cited
    notes: int | None  # the year in the notes that this book follows, if they name the model
    parameters: int  # of the largest
    parameters_from: str
    data: str  # that it was trained on
    data_from: str
    cite: str

    @property
    def date(self) -> float:
        """The middle of the month, in years."""
        return self.year + (self.month - 0.5) / 12


MODELS = (
    Milestone(
        "Transformer", ENCODER_DECODER, 2017, 6, 2017, None,
        213_000_000, "table 3, big",
        "36 million sentence pairs, English and French", "section 5.1", "vaswani2017",
    ),
    Milestone(
        "GPT", DECODER, 2018, 6, 2018, 2018,
        117_000_000, "table 2 of GPT-2's paper; its own doesn't say",
        "over 7,000 unpublished books", "section 4.1", "radford2018",
    ),
    Milestone(
        "BERT", ENCODER, 2018, 10, 2019, 2019,
        340_000_000, "section 3, large",
        "3.3 billion words: books and Wikipedia", "section 3.1", "devlin2019",
    ),
    Milestone(
        "GPT-2", DECODER, 2019, 2, 2019, 2019,
        1_542_000_000, "table 2",
        "40 GB of text: 8 million web pages", "section 2.1", "radford2019",
    ),
    Milestone(
        "T5", ENCODER_DECODER, 2019, 10, 2020, 2019,
        11_000_000_000, "section 3.7, 11B",
        "750 GB of text from the web", "section 2.2", "raffel2020",
    ),
    Milestone(
        "BART", ENCODER_DECODER, 2019, 10, 2020, 2019,
        400_000_000, "the published code's list of models, large",
        "160 GB of text: news, books, stories, web", "section 5.1", "lewis2020",
    ),
    Milestone(
        "GPT-3", DECODER, 2020, 5, 2020, 2020,
        175_000_000_000, "table 2.1",
        "300 billion tokens: web, books, Wikipedia", "tables 2.1 and 2.2", "brown2020",
    ),
)  # fmt: skip
