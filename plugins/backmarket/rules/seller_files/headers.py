"""Tells which column of a file is which column of a table, whatever language its header is in."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

CONSTANT = "="
"""What begins a name in a mapping that is no header but a value for all rows, as in ``=fr-fr``."""

ACCOUNT = "account"
"""A column that every table may have: rows of other accounts are refused."""

_LOOKED_AT = 30
# Files with it are about people's orders.
_OF_ORDERS = "order_id"

# Keyed by the tables' own column names. Written as :func:`plain` leaves a header.
SYNONYMS: dict[str, frozenset[str]] = {
    column: frozenset(names.split())
    for column, names in {
        "account": "seller shop boutique konto mandant cuenta",
        "sku": """
            skucode sellersku merchantsku itemsku productsku articlesku reference ref productreference itemnumber
            itemno articlenumber articleno artikelnummer artikelnr artnr artikel codearticle referencearticle
            referencia codigoarticulo codicearticolo articolo artikelcode artigo codigo
        """,
        "quantity": """
            qty stock stockqty stockquantity quantityavailable availablequantity available units onhand instock
            quantite qte unites enstock menge anzahl bestand lagerbestand stueck stuck stk cantidad unidades existencias
            quantita giacenza disponibili aantal voorraad quantidade estoque antal lager
        """,
        "counted_at": """
            countedon counted counttime countdate stockdate stocktime asof updatedat lastupdated timestamp datetime
            dateinventaire datestock comptele compteele gezahltam gezaehltam zahldatum bestandsdatum fechastock
            fechainventario datainventario datagiacenza teldatum
        """,
        "safety_qty": "safety safetyqty safetyquantity safetystock stockdesecurite sicherheitsbestand stockseguridad",
        "max_qty": "max maxqty maxquantity maximum maxstock quantitemax hochstmenge hoechstmenge cantidadmaxima",
        "orders_known_until": "ordersuntil knownuntil commandesjusqua bestellungenbis pedidoshasta",
        "warehouse": """
            warehousename warehousecode depot depotname entrepot lager lagerort lagername lagerstandort almacen deposito
            bodega magazzino magazijn armazem armazen lagersted varasto sklad magazyn
        """,
        "listing_sku": """
            listing listingname backmarketsku bmsku backmarketlisting skubackmarket skulisting skuannonce annonce
            referenceannonce angebot angebotssku anzeige anzeigensku skuanuncio anuncio annuncio skuannuncio
            advertentie listingreference
        """,
        "units": """
            unitsperlisting unitsneeded qty quantity packsize packof bundlesize unites quantite lotde unitesparannonce
            stueck stuck stueckproangebot menge unidades cantidad unidadesporanuncio unita quantita aantal eenheden
        """,
        "market": "marketplace country site marche pays markt land mercado pais mercato paese",
        "price": """
            sellingprice saleprice unitprice prix prixdevente prixttc preis verkaufspreis vkpreis precio precioventa
            prezzo prezzovendita prijs verkoopprijs preco pris
        """,
        "min_price": """
            minprice minimumprice floor floorprice pricefloor prixmin prixminimum prixplancher mindestpreis minpreis
            preciominimo prezzominimo minimumprijs
        """,
        "currency": "devise monnaie wahrung waehrung moneda divisa valuta munt moeda valuuta",
        "order_id": """
            order orderno ordernumber orderref orderreference backmarketorder backmarketorderid commande numerocommande
            idcommande bestellung bestellnummer bestellnr auftragsnummer pedido numeropedido ordine numeroordine
            bestelling bestelnummer ordrenummer
        """,
        "orderline_id": """
            orderline lineid linenumber orderitemid orderitem lignecommande idligne bestellposition positionsnummer
            lineapedido rigaordine orderregel
        """,
        "tracking_number": """
            tracking trackingno trackingnr trackingcode trackingid trackingref parcelnumber consignment numerosuivi
            numerodesuivi suivi sendungsnummer paketnummer trackingnummer numeroseguimiento seguimiento
            numerodiseguimento numerotracking trackandtrace zendingsnummer
        """,
        "tracking_url": "trackinglink urlsuivi liensuivi urldesuivi sendungslink trackinglinkurl urlseguimiento",
        "shipper": """
            carrier carriername shippingcarrier courier transporteur versender versanddienst versanddienstleister
            paketdienst transportista mensajeria corriere vettore vervoerder transportadora fragtmand
        """,
        "shipped_at": """
            shippedon shipped shipdate shippingdate shipmentdate dispatchdate dispatchedat datexpedition
            dateexpedition expediele versanddatum versandtam versendetam fechaenvio enviadoel dataspedizione
            verzenddatum dataenvio
        """,
        "imei": "imei1 imeinumber imeino imeinr numeroimei imeimeid",
        "serial_number": """
            serial serialno serialnr serienumber sn numeroserie numerodeserie noserie seriennummer numerodiserie
            numeroseriale serienummer
        """,
        "kind": """
            type refundtype refundkind typederemboursement typeremboursement art erstattungsart tipo tipodereembolso
            tiporeembolso tipodirimborso tiporimborso soort soortterugbetaling
        """,
        "amount": """
            refundamount refund amountrefunded refundedamount montant montantrembourse montantaremboursement
            remboursement betrag erstattungsbetrag erstattung ruckerstattung importe importereembolso reembolso importo
            importorimborso rimborso bedrag terugbetaling
        """,
        "return_reason": """
            reason reasoncode returnreasoncode refundreason motif motifretour motifderetour raison grund ruckgabegrund
            rueckgabegrund retourengrund motivo motivodevolucion motivoreso motivodelreso reden retourreden
        """,
        "return_message": """
            message customermessage messagetocustomer messageclient messageauclient nachricht kundennachricht mensaje
            mensajecliente messaggio messaggiocliente bericht
        """,
        "unit_cost": """
            cost costprice costs purchaseprice buyingprice purchasecost coutunitaire cout coutdachat prixdachat
            prixdachatht einkaufspreis ek ekpreis kosten stuckkosten stueckkosten coste costeunitario preciodecompra
            preciocompra costo costounitario prezzodiacquisto prezzoacquisto kostprijs inkoopprijs custo precodecompra
            inkopspris
        """,
        "vat_scheme": """
            vat vattype vatregime scheme taxscheme taxtype regimetva regimedetva tva besteuerung besteuerungsart
            steuerart mwstart umsatzsteuerart regimeniva regimeiva regimendeiva tipodeiva btwregeling
        """,
        "imei_or_serial": """
            imei serial serialnumber imeiorserial imeiserial imeinumber serialno sn device identifier numeroimei
            numeroserie numerodeserie seriennummer imeioderseriennummer serienummer numerodiserie
        """,
        "day": "date validon jour tag datum dia fecha giorno data dag kursdatum",
        "from_currency": "from base basecurrency source sourcecurrency de von desde da van vonwahrung vonwaehrung",
        "to_currency": "to target targetcurrency quote quotecurrency vers nach hacia a naar nachwahrung nachwaehrung",
        "rate": "fxrate exchangerate taux tauxdechange kurs wechselkurs tipodecambio tasso tassodicambio koers",
        "vat_pct": """
            vat vatrate vatpercent rate taxrate tva tauxtva tauxdetva mwst mwstsatz ust ustsatz steuersatz iva tipoiva
            aliquota aliquotaiva btw btwtarief moms
        """,
        "valid_from": "from since validsince startdate depuis apartirde gultigab gueltigab ab desde dal vanaf",
        "ean": "ean13 gtin gtin13 barcode codebarre codebarres strichcode codigobarras codiceabarre",
        "product_id": "backmarketproductid bmid productuuid idproduit produktid idproducto idprodotto",
        "grade": "condition state etat zustand estado condizione staat conditie",
        "warranty_delay": "warranty warrantymonths garantie garantiemonate garantia garanzia",
        "comment": "comments description2 commentaire kommentar comentario commento opmerking",
        "category_id": "category categorie kategorie categoria",
        "title": "name productname titre titel bezeichnung titulo nombre titolo nome",
        "description": "descriptif beschreibung descripcion descrizione omschrijving",
        "brand": "marque marke marca merk manufacturer hersteller",
        "price_new": "newprice rrp msrp prixneuf neupreis precionuevo prezzonuovo",
        "weight": "weightgrams poids gewicht peso",
        "images": "image imageurls pictures photos bilder imagenes immagini",
        "attributes": "attribute attributs eigenschaften atributos attributi",
    }.items()
}


class HeaderError(ValueError):
    """A file's header cannot be understood; the message has what was found and what is needed."""


@dataclass(frozen=True)
class Header:
    """Which column of a file is which.

    :param row: where the header stands, from 0: above it there may be titles.
    :param places: where each column of the table stands in a row of the file.
    :param constants: the columns that have one value for all rows.
    :param unknown: the names that are no column of the table.
    :param width: how many fields the header has.
    """

    row: int
    places: Mapping[str, int]
    unknown: tuple[str, ...]
    width: int
    constants: Mapping[str, str] = field(default_factory=dict)


def plain(name: str) -> str:
    """Return what is compared of a header: its letters and digits, without case and accents."""
    spelled = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in spelled if letter.isalnum())


def find_header(
    rows: Sequence[Sequence[str]],
    columns: Collection[str],
    required: Collection[str],
    mapping: Mapping[str, str] | None = None,
) -> Header:
    """Find the header among the first rows of a file: titles and blank rows may stand above it.

    :param columns: of the table that the file fills.
    :param required: those that a file must have.
    :param mapping: what the seller's own headers stand for, before any synonym; see :data:`CONSTANT`.
    :raises HeaderError: where no row names all that is required, a column stands there twice, or the mapping names one
        that there is not.
    """
    if wrong := sorted(set((mapping or {}).values()) - set(columns)):
        raise HeaderError(
            f"Variable backmarket_seller_columns names {_listed(wrong)}, which is no column of this table. There are "
            f"{_listed(columns)}"
        )
    constants = {
        column: name.removeprefix(CONSTANT) for name, column in (mapping or {}).items() if name.startswith(CONSTANT)
    }
    own = {plain(name): column for name, column in (mapping or {}).items() if not name.startswith(CONSTANT)}
    best = (-1, 0)
    for number, row in enumerate(rows[:_LOOKED_AT]):
        known = {column for cell in row if (column := _column_of(cell, columns, own))}
        if len(known) > best[0]:
            best = (len(known), number)
        if set(required) <= known | constants.keys():
            return _header(number, row, columns, own, constants)
    found = [cell.strip() for cell in rows[best[1]] if cell.strip()] if rows else []
    named = {_column_of(cell, columns, own) for cell in found} | constants.keys()
    missing = [column for column in required if column not in named]
    if found and not best[0] and _OF_ORDERS in columns:
        # A file without a header: what stands there instead may be a customer's name or address.
        found = [f"{len(found)} that are not known and not shown here"]
    raise HeaderError(
        f"it has no column {_listed(missing)}. Its columns are {_listed(found) or 'none'}; needed are "
        f"{_listed(required)}. Rename them, or say in Variable backmarket_seller_columns which is which"
    )


def _header(
    number: int, row: Sequence[str], columns: Collection[str], own: Mapping[str, str], constants: Mapping[str, str]
) -> Header:
    candidates: dict[str, list[int]] = {}
    for place, cell in enumerate(row):
        if column := _column_of(cell, columns, own):
            candidates.setdefault(column, []).append(place)
    _part(candidates, row, columns, own)
    places: dict[str, int] = {}
    for column, found in candidates.items():
        ranks = [_rank(row[place], column, own) for place in found]
        best = [place for place, rank in zip(found, ranks, strict=True) if rank == min(ranks)]
        if len(best) > 1:
            raise HeaderError(
                f"both {row[best[0]].strip()!r} and {row[best[1]].strip()!r} can be {column}. Rename one, or say in "
                "Variable backmarket_seller_columns which is it"
            )
        places[column] = best[0]
    unknown = tuple(cell.strip() for place, cell in enumerate(row) if cell.strip() and place not in places.values())
    return Header(
        number,
        places,
        unknown,
        len(row),
        {column: value for column, value in constants.items() if column not in places},
    )


def _part(
    candidates: dict[str, list[int]], row: Sequence[str], columns: Collection[str], own: Mapping[str, str]
) -> None:
    """Where headers can be the same column, let one of two meanings be the other: beside Bestand, Lager is a place."""
    for column in [column for column, found in candidates.items() if len(found) > 1]:
        for place in candidates[column][:]:
            name = plain(row[place])
            other = next((each for each in columns if each not in candidates and name in SYNONYMS.get(each, ())), None)
            if other and _rank(row[place], column, own) == 2 and len(candidates[column]) > 1:
                candidates[column].remove(place)
                candidates[other] = [place]


def _rank(cell: str, column: str, own: Mapping[str, str]) -> int:
    """Tell how surely a header means a column: the seller says so, it is called so, or it is another word for it."""
    name = plain(cell)
    return 0 if name in own else 1 if name == plain(column) else 2


def _column_of(cell: str, columns: Collection[str], own: Mapping[str, str]) -> str | None:
    name = plain(cell)
    if not name:
        return None
    if name in own:
        return own[name]
    return next(
        (column for column in columns if name == plain(column)),
        next((column for column in columns if name in SYNONYMS.get(column, ())), None),
    )


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)
