"""Finds Back Market's name of a carrier for the name that a seller's system uses."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER = "Other"

# The schema `Shipper` of Back Market's public API description. "DHL  EXPRESS", which it lists beside "DHL Express",
# differs from it in nothing that matters.
CARRIERS = (
    "Allied Express|Aramex Australia|Australia Post|Australia Post Express|Austrian Post|BPost|BRT|Chronopost|"
    "Chronopost Express|ColisPrivé|Colissimo|Correos|Correos Express|Couriers Please|CTT|Cubyn|Cubyn Express|"
    "DB Schenker|Deutsche Post|DHL|DHL DE|DHL Express|DHL NL|DHL Parcel Spain|DHL SP|DPD|DPD Benelux|DPD DE|DPD FR|"
    "DPD International|DPD UK|DPD UK Express|DTDC Australia|FedEx|FedEx - 2Days|FedEx Express|FedEx International|"
    "FedEx - Overnight|Geodis|Girard Agediss - Livraison dans la pièce de votre choix sur RDV|GLS|GLS - DE|GLS - FR|"
    "GLS International|GLS - IT|GLS-SPAIN|GLS Spain Express|Hermes - DE|Hermes - UK|Japan Post|"
    "Livraison au pied du camion|Livraison dans la pièce de votre choix|Logoix|MRW|Murfy transporteur|NACEX|"
    "ParcelForce Express|Parcelforce (Worldwide)|Parcelpoint Pty Ltd|Poste Italiane|Post NL|Private Transporter|"
    "Royal Mail|Royal Mail Express|Sagawa|Seino|Sendle|Seur|Socolissimo|Star Track Express|TIPSA|TIPSA Express|TNT|"
    "TNT Australia|TNT Express|Tourline|UPS|UPS 2 days|UPS 2nd Day Air|UPS Express|UPS express save|UPS Ground|"
    "UPS next day|UPS Overnight|UPS standard|USPS|USPS Express|USPS - First Class|USPS - Priority Mail|"
    "USPS - Priority Mail Express|VIR|Yamato|Zeleris|Other"
).split("|")

# Other names of the very same service; whatever could mean two of them is left to the seller's own table.
_ALIASES = {
    "DHL Germany": "DHL DE",
    "DHL Paket": "DHL DE",
    "DHL Netherlands": "DHL NL",
    "DPD Germany": "DPD DE",
    "DPD France": "DPD FR",
    "GLS Germany": "GLS - DE",
    "GLS France": "GLS - FR",
    "GLS Italy": "GLS - IT",
    "Federal Express": "FedEx",
    "La Poste Colissimo": "Colissimo",
    "Parcelforce": "Parcelforce (Worldwide)",
    "United Parcel Service": "UPS",
    "USPS First Class Mail": "USPS - First Class",
    "USPS Priority": "USPS - Priority Mail",
}


def find_carrier(name: str, aliases: Mapping[str, str]) -> str | None:
    """Return Back Market's name of a carrier; None where there is none.

    Case, accents, spaces and punctuation do not matter.

    :param aliases: the seller's own: their name to Back Market's. They come first.
    """
    key = _key(name)
    for alias, carrier in aliases.items():
        if _key(alias) == key:
            return _known().get(_key(carrier))
    return _known().get(key)


@cache
def _known() -> dict[str, str]:
    names = {_key(name): name for name in CARRIERS}
    return {**{_key(alias): carrier for alias, carrier in _ALIASES.items()}, **names}


def _key(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
