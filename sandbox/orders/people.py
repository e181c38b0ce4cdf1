"""Customers and where they live, awkward ones included. All of them are made up."""

from random import Random
from typing import Any

from sandbox.markets import Market

_FIRST = ("Léa", "Jonas", "María", "Giulia", "Oliver", "Astrid", "Sanne", "João", "Aoife", "Nikos", "Zuzana")
_LAST = ("Martin", "Schäfer", "García", "Rossi", "Smith", "Lindström", "de Vries", "Ferreira", "Byrne", "Nováková")
_STREETS = ("rue des Lilas", "Hauptstraße", "Calle Mayor", "Via Roma", "High Street", "Storgatan", "Kerkstraat")
_CITIES = {
    "FR": ("Lyon", "69003", "+334700"),
    "DE": ("Köln", "50667", "+492210"),
    "ES": ("Sevilla", "41001", "+349540"),
    "GB": ("Stoke-on-Trent", "ST4 2RU", "+441782"),
    "IT": ("L'Aquila", "67100", "+390862"),
    "SE": ("Malmö", "211 22", "+464000"),
    "US": ("Coeur d'Alene", "83814", "+120800"),
    "JP": ("渋谷区", "150-0002", "+813000"),
    "AU": ("Wagga Wagga", "2650", "+612690"),
}
_ELSEWHERE = ("Sint-Niklaas", "9100", "+323700")
_AWKWARD = (
    ("D'Arcy", "O'Neil"),
    ("Zoë 🎉", "Ångström"),
    ("王", "小明"),
    ("さくら", "田中"),
    ("Tab\tbed", "Back\\slash"),
    ("\\N", "NULL"),
    ('Robert"); --', "Tables"),
    ("  spaced  ", "Müller-Lüdenscheidt,Graf"),
    ("محمد", "الأحمد"),
)
_SECOND_LINES = (
    "Bât. B\nCode 4521",
    "Leave it with the neighbour's,\r\n2nd floor",
    "c/o \\N; stairs\tC",
    "🏠 porte bleue",
    "Attention: 'fragile' \"box\"",
)


def make_address(rng: Random, market: Market, number: int) -> dict[str, Any]:
    """Make one address in Back Market's real spelling (snake_case)."""
    awkward = rng.random() < 0.15
    first, last = rng.choice(_AWKWARD) if awkward else (rng.choice(_FIRST), rng.choice(_LAST))
    city, postal_code, prefix = _CITIES.get(market.country, _ELSEWHERE)
    address: dict[str, Any] = {
        "first_name": first,
        "last_name": last,
        "company": "Société d'Étude & Fils" if number % 17 == 0 else "",
        "street": f"{1 + number % 180} {rng.choice(_STREETS)}",
        "street2": rng.choice(_SECOND_LINES) if awkward or number % 9 == 0 else "",
        "postal_code": postal_code,
        "city": city,
        "country": market.country,
        "phone": f"{prefix}{number % 1_000_000:06d}",
        "email": f"customer-{number}@example.com",
        "customer_id_number": None,
    }
    if market.country == "US":
        address["state"] = "Idaho"
    if market.country == "JP":
        address["first_name_pronunciation"] = "サクラ"
        address["last_name_pronunciation"] = "タナカ"
    return address


def camel_case(address: dict[str, Any]) -> dict[str, Any]:
    """Spell an address as the public description does; it knows no email."""
    return {
        "id": 1,
        "firstName": address["first_name"],
        "lastName": address["last_name"],
        "company": address["company"],
        "street": address["street"],
        "street2": address["street2"],
        "postalCode": address["postal_code"],
        "city": address["city"],
        "country": address["country"],
        "phoneNumber": address["phone"],
        "state": address.get("state", ""),
    }
