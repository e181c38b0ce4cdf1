"""The category tree: three levels, of which the last carries the attributes a new product needs."""

from typing import Any

from sandbox.listings import products

DECIMAL, INTEGER, STRING, MULTIPLE_CHOICE = range(4)

Node = dict[str, Any]


def _attribute(field: str, name: str, kind: int, *, required: bool, allowed: str = "") -> Node:
    return {"field": field, "field_name": name, "type": kind, "allowed_values": allowed, "required": required}


def _node(category_id: int, name: str, childrens: list[Node]) -> Node:
    """Make an inner category; it has no marketplace id a product could use, hence the negative one."""
    return {
        "category_id": category_id,
        "category_name": name,
        "marketplace_category_id": -category_id,
        "is_leaf": False,
        "attributes": [],
        "childrens": childrens,
    }


def _leaf(category_id: int, name: str, marketplace_id: int, attributes: list[Node]) -> Node:
    return {
        "category_id": category_id,
        "category_name": name,
        "marketplace_category_id": marketplace_id,
        "is_leaf": True,
        "attributes": attributes,
        "childrens": [],
    }


_COLOR = _attribute("color", "Couleur", STRING, required=True)
_STORAGE = _attribute("storage", "Capacité (Go)", INTEGER, required=True)
_SCREEN = _attribute("screen_size", "Taille écran (pouces)", DECIMAL, required=False)
_LOCK = _attribute(
    "unlocked", "Opérateur", MULTIPLE_CHOICE, required=True, allowed="Unlocked GSM, Unlocked CDMA,No SIM slot"
)
_KEYBOARD = _attribute("keyboard", "Clavier", MULTIPLE_CHOICE, required=True, allowed="AZERTY,QWERTY,QWERTZ")

TREE: list[Node] = [
    _node(
        1,
        "Téléphones & tablettes",
        [
            _node(11, "Téléphones", [_leaf(111, "Smartphones", products.SMARTPHONES, [_COLOR, _STORAGE, _LOCK])]),
            _node(12, "Tablettes", [_leaf(121, "Tablettes", products.TABLETS, [_COLOR, _STORAGE, _SCREEN])]),
        ],
    ),
    _node(
        2,
        "Informatique",
        [_node(21, "Ordinateurs", [_leaf(211, "Portables", products.LAPTOPS, [_KEYBOARD, _STORAGE, _SCREEN])])],
    ),
    _node(
        3,
        "Loisirs",
        [
            _node(31, "Jeux vidéo", [_leaf(311, "Consoles", products.CONSOLES, [_COLOR])]),
            _node(32, "Audio", [_leaf(321, "Casques", products.HEADPHONES, [_COLOR])]),
            _node(33, "Objets connectés", [_leaf(331, "Montres", products.WATCHES, [_COLOR, _SCREEN])]),
        ],
    ),
]


def _walk(nodes: list[Node]) -> dict[int, Node]:
    found: dict[int, Node] = {}
    for node in nodes:
        found[node["category_id"]] = node
        found |= _walk(node["childrens"])
    return found


BY_ID = _walk(TREE)
"""Every category by its `category_id`."""

LEAF_OF_PRODUCTS = {node["marketplace_category_id"]: node for node in BY_ID.values() if node["is_leaf"]}
"""The leaves by `marketplace_category_id`, which is what a product's `category_id` means."""
