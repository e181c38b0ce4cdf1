"""Finds Back Market's name of a carrier for the name that a seller's system uses."""

from __future__ import annotations

import re
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

# How sellers and their programs write each carrier: what its name looks like, then what else in the text makes it one
# of the list's services or countries, and last the bare name, where the list has one. A text that fits two of a
# carrier's services, or two carriers, is not guessed at: it is the bare name, or nothing.
_FAMILIES: tuple[tuple[str, tuple[tuple[str, str], ...], str | None], ...] = (
    (
        r"dhl",
        (
            (r"express|easy ?express|time definite", "DHL Express"),
            (r"^(?!.*express).*\b(paket|pakete|de|ger|germany|deutschland|national)\b", "DHL DE"),
            (r"^(?!.*express).*\b(nl|netherlands?|nederland|niederlande)\b", "DHL NL"),
            (r"^(?!.*express).*\bparcel\b.*\b(spain|espana|iberia|es)\b", "DHL Parcel Spain"),
        ),
        "DHL",
    ),
    (
        r"dpd(group)?",
        (
            (r"\b(de|ger|germany|deutschland)\b", "DPD DE"),
            (r"\b(fr|france|frankreich)\b", "DPD FR"),
            (r"^(?!.*express).*\b(uk|gb|united kingdom|great britain|local)\b", "DPD UK"),
            (r"\b(uk|gb|united kingdom|great britain)\b.*express|express.*\b(uk|gb)\b", "DPD UK Express"),
            (r"\b(benelux|nl|be|lu|netherlands?|nederland|belgi(um|e|que|en)|luxemb(ou)?rg)\b", "DPD Benelux"),
            (r"\binternational\b", "DPD International"),
        ),
        "DPD",
    ),
    (
        r"gls",
        (
            (r"\b(de|ger|germany|deutschland)\b", "GLS - DE"),
            (r"\b(fr|france|frankreich)\b", "GLS - FR"),
            (r"\b(it|italy|italia|italien|italie)\b", "GLS - IT"),
            (r"^(?!.*express).*\b(es|spain|espana|spanien|espagne)\b", "GLS-SPAIN"),
            (r"^(?=.*express).*\b(es|spain|espana)\b", "GLS Spain Express"),
            (r"\binternational\b", "GLS International"),
        ),
        "GLS",
    ),
    (
        r"ups|united parcel service",
        (
            (r"^(?!.*(overnight|express)).*\bstandard\b", "UPS standard"),
            (r"^(?!.*(day|overnight)).*\b(saver?)\b", "UPS express save"),
            (r"^(?!.*(saver?\b|day|overnight)).*\bexpress\b", "UPS Express"),
            (r"\bground\b", "UPS Ground"),
            (r"\b(next|1) ?day\b", "UPS next day"),
            (r"\bovernight\b", "UPS Overnight"),
            (r"\b(2nd|second) ?day( air)?\b|\b2 ?day air\b", "UPS 2nd Day Air"),
            (r"\b(2|two) ?days?\b(?! air)", "UPS 2 days"),
        ),
        "UPS",
    ),
    (
        r"fed ?ex|federal express",
        (
            (r"\binternational\b", "FedEx International"),
            (r"\bovernight\b", "FedEx - Overnight"),
            (r"\b(2|two) ?days?\b|\b2nd day\b", "FedEx - 2Days"),
            (r"^(?!.*(international|overnight|day)).*(?<!federal )\bexpress\b", "FedEx Express"),
        ),
        "FedEx",
    ),
    (
        r"usps|(united states|us|u s) postal service",
        (
            (r"\b(first|1st) ?class\b", "USPS - First Class"),
            (r"\bpriority\b.*\bexpress\b", "USPS - Priority Mail Express"),
            (r"^(?!.*express).*\bpriority\b", "USPS - Priority Mail"),
            (r"^(?!.*priority).*\bexpress\b", "USPS Express"),
        ),
        "USPS",
    ),
    (
        r"tnt(?! post)",
        ((r"^(?!.*\b(au|australia)\b).*\bexpress\b", "TNT Express"), (r"\b(au|australia)\b", "TNT Australia")),
        "TNT",
    ),
    (r"royal ?mail", ((r"\bexpress\b", "Royal Mail Express"),), "Royal Mail"),
    (r"parcel ?force", ((r"\bexpress\b", "ParcelForce Express"),), "Parcelforce (Worldwide)"),
    (
        r"hermes|evri",
        (
            (r"\b(evri|my ?hermes|uk|gb|united kingdom|great britain)\b", "Hermes - UK"),
            (r"\b(de|ger|germany|deutschland)\b", "Hermes - DE"),
        ),
        None,
    ),
    (r"chrono ?post|chrono(?= ?(\d|classic|express|relais))", ((r"\bexpress\b", "Chronopost Express"),), "Chronopost"),
    (r"(?<!so )coli ?ssimo|coli ?poste", (), "Colissimo"),
    (r"so ?colissimo", (), "Socolissimo"),
    (r"colis ?prive", (), "ColisPrivé"),
    (r"correos", ((r"\bexpress\b", "Correos Express"),), "Correos"),
    (r"cex", (), "Correos Express"),
    (r"ctt", (), "CTT"),
    (r"tourline", (), "Tourline"),
    (r"seur", (), "Seur"),
    (r"mrw", (), "MRW"),
    (r"nacex", (), "NACEX"),
    (r"tipsa", ((r"\bexpress\b", "TIPSA Express"),), "TIPSA"),
    (r"zeleris", (), "Zeleris"),
    (r"poste ?italiane|poste ?delivery|crono ?poste|sda", (), "Poste Italiane"),
    (r"brt|bartolini", (), "BRT"),
    (r"(?<!tnt )post ?nl", (), "Post NL"),
    (r"b ?post|bpack", (), "BPost"),
    (r"(austrian|osterreichische|oesterreichische) post|post (at|austria)$", (), "Austrian Post"),
    (r"(deutsche|german) ?post", (), "Deutsche Post"),
    (r"(db ?)?schenker", (), "DB Schenker"),
    (r"geodis", (), "Geodis"),
    (r"(girard )?agediss", (), "Girard Agediss - Livraison dans la pièce de votre choix sur RDV"),
    (r"cubyn", ((r"\bexpress\b", "Cubyn Express"),), "Cubyn"),
    (r"logoix", (), "Logoix"),
    (r"murfy", (), "Murfy transporteur"),
    (r"australia post|aus ?post", ((r"\bexpress\b", "Australia Post Express"),), "Australia Post"),
    (r"star ?track", (), "Star Track Express"),
    (r"couriers ?please", (), "Couriers Please"),
    (r"aramex(?= (au|australia)\b)", (), "Aramex Australia"),
    (r"allied express", (), "Allied Express"),
    (r"sendle", (), "Sendle"),
    (r"parcel ?point", (), "Parcelpoint Pty Ltd"),
    (r"yamato|kuroneko|\w*ヤマト\w*", (), "Yamato"),
    (r"sagawa|佐川.*", (), "Sagawa"),
    (r"seino|西濃.*", (), "Seino"),
    (r"japan post|日本郵便|ゆうハック", (), "Japan Post"),
)
# Groups that name their parcel carrier beside themselves: the former is meant.
_GROUPS: dict[frozenset[str | None], str] = {
    frozenset({"Deutsche Post", "DHL"}): "DHL",
    frozenset({"Deutsche Post", "DHL DE"}): "DHL DE",
    frozenset({"Deutsche Post", "DHL Express"}): "DHL Express",
}
# Written together with what follows it.
_GLUED = re.compile(
    r"^(dhl|dpd|gls|ups|tnt|usps|fedex|hermes)"
    r"(?=(express|paket|parcel|standard|saver|ground|international|germany|de|fr|uk|nl|es|it)\b)"
)


def find_carrier(name: str, aliases: Mapping[str, str]) -> str | None:
    """Return Back Market's name of a carrier; None where there is none, or more than one.

    Case, accents, spaces and punctuation do not matter.

    :param aliases: the seller's own: their name to Back Market's. They come first.
    """
    key = _key(name)
    for alias, carrier in aliases.items():
        if _key(alias) == key:
            return _known().get(_key(carrier))
    return _known().get(key) or _recognised(name)


def _recognised(name: str) -> str | None:
    words = _words(name)
    found = set()
    for family, services, bare in _families():
        if family.search(words):
            fitting = {carrier for service, carrier in services if service.search(words)}
            found.add(fitting.pop() if len(fitting) == 1 else bare)
    if group := _GROUPS.get(frozenset(found)):
        return group
    return found.pop() if len(found) == 1 else None


@cache
def _known() -> dict[str, str]:
    return {_key(name): name for name in CARRIERS}


@cache
def _families() -> list[tuple[re.Pattern[str], list[tuple[re.Pattern[str], str]], str | None]]:
    return [
        (re.compile(rf"\b(?:{family})(?=\b|\d)"), [(re.compile(form), carrier) for form, carrier in services], bare)
        for family, services, bare in _FAMILIES
    ]


def _words(name: str) -> str:
    """Return a name as words in lower case, without accents: ``UPSSaver`` and ``ups_saver`` are ``ups saver``."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)", " ", name)
    plain = "".join(each for each in unicodedata.normalize("NFKD", apart).casefold() if not unicodedata.combining(each))
    words = re.sub(r"[\W_]+", " ", plain).strip()
    return _GLUED.sub(r"\1 ", words)


def _key(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
