"""Personal data behind placeholders: e-mail addresses, phone, card and identity numbers, and URLs.

Microsoft Presidio's pattern recognisers find them (checksums and phone plans included); no language model is asked
and nothing is fetched from the network. Names of people are not found.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

MASKS = {
    "EMAIL_ADDRESS": "<email>",
    "PHONE_NUMBER": "<phone>",
    "CREDIT_CARD": "<card>",
    "IBAN_CODE": "<account>",
    "US_SSN": "<identity>",
    "UK_NHS": "<identity>",
    "ES_NIF": "<identity>",
    "IT_FISCAL_CODE": "<identity>",
    "IN_AADHAAR": "<identity>",
    "URL": "<url>",
}


@lru_cache(maxsize=1)
def _recognisers() -> list[Any]:
    import tldextract

    # else it would fetch the list of top-level domains; the one that comes with it serves
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    from presidio_analyzer import predefined_recognizers as found

    return [
        found.EmailRecognizer(),
        found.CreditCardRecognizer(),
        found.IbanRecognizer(),
        found.UsSsnRecognizer(),
        found.NhsRecognizer(),
        found.EsNifRecognizer(),
        found.ItFiscalCodeRecognizer(),
        found.InAadhaarRecognizer(),
        found.PhoneRecognizer(),
        found.UrlRecognizer(),
    ]


def mask(text: str) -> str:
    """The text with what looks personal behind placeholders such as `<email>`."""
    if len(text) < 5:
        return text
    found = []
    for recogniser in _recognisers():
        for one in recogniser.analyze(text, recogniser.supported_entities, None) or []:
            cut_off = one.entity_type == "URL" and text[one.end : one.end + 1].isalpha()  # "He left.Then"
            if one.score >= 0.4 and not cut_off:
                found.append((one.start, one.end, MASKS.get(one.entity_type, "<identity>")))
    masked, end = [], 0
    for start, stop, name in sorted(found, key=lambda one: (one[0], -one[1])):
        if start >= end:
            masked += [text[end:start], name]
            end = stop
    return "".join([*masked, text[end:]])


def mask_row(value: Any) -> Any:
    """The value with every text in it masked, in lists too."""
    if isinstance(value, str):
        return mask(value)
    return [mask_row(one) for one in value] if isinstance(value, list) else value
