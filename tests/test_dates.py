import datetime

import pytest
from babel import localedata
from babel.dates import format_date

from transformer_essentials.corpora import dates

MARCH_5 = datetime.date(2024, 3, 5)


def links(source, target, style="full", day=MARCH_5):
    """Both texts, and which characters of the source each character of the target is linked to."""
    s, s_spans = dates.write(day, source, style)
    t, t_spans = dates.write(day, target, style)
    found = dates.align(s, s_spans, t, t_spans)
    return s, t, ["".join(s[j] for j in range(len(s)) if (j, i) in found) for i in range(len(t))]


@pytest.mark.parametrize(
    "locale, text",
    [
        ("en", "Tuesday, March 5, 2024"),
        ("fr", "mardi 5 mars 2024"),
        ("zh", "2024年3月5日星期二"),
        ("iso", "2024-03-05"),
        ("ja", "2024年3月5日火曜日"),
        ("de", "Dienstag, 5. März 2024"),
        ("es", "martes, 5 de marzo de 2024"),  # with words between the fields
        ("ru", "вторник, 5 марта 2024\u202fг."),
        ("ar", "الثلاثاء، 5 مارس 2024"),
        ("hi", "मंगलवार, 5 मार्च 2024"),
        ("th", "วันอังคารที่ 5 มีนาคม ค.ศ. 2024"),  # with the era
        ("fi", "tiistai 5. maaliskuuta 2024"),  # the day's name in its stand-alone form
        ("eu", "2024(e)ko martxoaren 5(a), asteartea"),  # quoted letters in the pattern
        ("ka", "სამშაბათი, 05 მარტი, 2024"),  # the day with two digits
        ("zh_Hant", "2024年3月5日 星期二"),
    ],
)
def test_known_dates(locale, text):
    assert dates.write(MARCH_5, locale)[0] == text


def test_every_locale_of_babel_agrees_with_format_date():
    days = [datetime.date(1900, 1, 1), MARCH_5, datetime.date(2099, 12, 31)]
    locales = localedata.locale_identifiers()
    assert len(locales) > 1000
    for k, locale in enumerate(locales):
        for style in dates.STYLES:
            day = days[k % len(days)]
            text, spans = dates.write(day, locale, style)
            assert text == format_date(day, style, locale), locale
            assert {"day", "month", "year"} <= set(spans), locale
            year = spans["year"]
            assert text[year.start : year.stop] == str(day.year), locale


@pytest.mark.parametrize("locale", ["en", "fr", "zh", "ar", "hi", "th", "ja", "de", "eu"])
def test_a_whole_year_agrees_with_format_date(locale):
    for k in range(366):
        day = datetime.date(2024, 1, 1) + datetime.timedelta(days=k)
        assert dates.write(day, locale)[0] == format_date(day, "full", locale)


def test_alignment_english_to_french():
    s, t, sources = links("en", "fr")
    assert (s, t) == ("Tuesday, March 5, 2024", "mardi 5 mars 2024")
    assert sources == ["Tuesday"] * 5 + [""] + ["5"] + [""] + ["March"] * 4 + [""] + ["2", "0", "2", "4"]


def test_alignment_english_to_chinese_turns_around():
    s, t, sources = links("en", "zh")
    assert t == "2024年3月5日星期二"
    assert sources == ["2", "0", "2", "4", "", "March", "", "5", ""] + ["Tuesday"] * 3
    found = dates.align(s, dates.write(MARCH_5, "en")[1], t, dates.write(MARCH_5, "zh")[1])
    assert (18, 0) in found and (21, 3) in found and (18, 2) not in found  # the first 2 of 2024 isn't the second
    assert (0, 9) in found and (15, 7) in found


def test_alignment_with_zeros_in_front_and_no_name_of_the_day():
    assert links("en", "iso", "long")[2] == ["2", "0", "2", "4", ""] + ["March"] * 2 + ["", "5", "5"]
    assert links("iso", "zh")[2] == ["2", "0", "2", "4", "", "3", "", "5", "", "", "", ""]
    assert links("zh", "iso")[2] == ["2", "0", "2", "4", "", "3", "3", "", "5", "5"]
    late = datetime.date(1999, 12, 31)
    assert links("zh", "iso", day=late)[2] == ["1", "9", "9", "9", "", "1", "2", "", "3", "1"]


def test_pairs():
    pairs = dates.pairs(200, "en", "zh", seed=3)
    assert len(set(pairs)) == 200 and dates.pairs(200, "en", "zh", seed=3) == pairs
    assert dates.pairs(50, "en", "zh", seed=3) == pairs[:50]
    assert dates.pairs(200, "en", "zh", seed=4) != pairs
    for pair in pairs:
        assert all(len(token) == 1 for token in pair.source + pair.target)
        assert all(0 <= j < len(pair.source) and 0 <= i < len(pair.target) for j, i in pair.alignment)
    assert ["".join(p.target) for p in dates.pairs(3, "en", "iso")] == ["2066-11-13", "1969-01-18", "1919-08-11"]
    assert "".join(dates.pairs(1, "iso", "en", style="long")[0].target) == "November 13, 2066"


def test_splits_share_no_date_and_make_up_all():
    splits = {split: {day.isoformat() for day in dates._days(split)} for split in dates.SPLITS}
    assert {split: len(days) for split, days in splits.items()} == {"train": 58452, "valid": 7307, "test": 7290}
    union = set.union(*splits.values())
    assert len(union) == 73049 and min(union) == "1900-01-01" and max(union) == "2099-12-31"
    for split, days in splits.items():
        assert {"".join(p.source) for p in dates.pairs(500, "iso", "fr", split=split, seed=9)} <= days


@pytest.mark.parametrize("locale", ["xx", "klingon", "", "fr-FR", "../en", None])
def test_an_unknown_locale_is_an_error(locale):
    with pytest.raises(ValueError, match="unknown locale .*CLDR"):
        dates.pairs(1, "en", locale)
    with pytest.raises(ValueError, match="unknown locale .*CLDR"):
        dates.pairs(1, locale, "en")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n": 58453}, "58452 different dates"),
        ({"n": 0}, "must be 1 to 58452"),
        ({"n": 1, "split": "dev"}, "unknown split 'dev'"),
        ({"n": 1, "style": "short"}, "unknown style 'short'"),
    ],
)
def test_other_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        dates.pairs(**arguments)
