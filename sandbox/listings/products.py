"""The products that seeded listings sell. The category ids are those of `sandbox.categories`."""

from dataclasses import dataclass

SMARTPHONES = 101
TABLETS = 102
LAPTOPS = 201
CONSOLES = 301
HEADPHONES = 302
WATCHES = 303


@dataclass(frozen=True)
class Product:
    """One catalog product; `price` is a typical one in the platform's first currency."""

    title: str
    brand: str
    sku: str
    category: int
    price: int
    fee_percent: int = 10


PRODUCTS = (
    Product("iPhone 11 64GB - Black - Unlocked", "Apple", "IP11-64-BLK", SMARTPHONES, 219),
    Product("iPhone 12 128GB - Blue - Unlocked", "Apple", "IP12-128-BLU", SMARTPHONES, 289),
    Product("iPhone 13 128GB - Midnight - Unlocked", "Apple", "IP13-128-MID", SMARTPHONES, 379),
    Product("iPhone 13 Pro 256GB - Graphite - Unlocked", "Apple", "IP13P-256-GRA", SMARTPHONES, 499),
    Product("iPhone 14 128GB - Starlight - Unlocked", "Apple", "IP14-128-STA", SMARTPHONES, 459),
    Product("iPhone 15 Pro 256GB - Natural Titanium - Unlocked", "Apple", "IP15P-256-NAT", SMARTPHONES, 799),
    Product("iPhone SE (2022) 64GB - Red - Unlocked", "Apple", "IPSE22-64-RED", SMARTPHONES, 189),
    Product("Galaxy S21 5G 128GB - Grey - Dual-SIM", "Samsung", "SGS21-128-GRY", SMARTPHONES, 229),
    Product("Galaxy S22 128GB - Phantom Black", "Samsung", "SGS22-128-BLK", SMARTPHONES, 299),
    Product("Galaxy A54 128GB - Lime", "Samsung", "SGA54-128-LIM", SMARTPHONES, 209),
    Product("Google Pixel 7 128GB - Obsidian", "Google", "GP7-128-OBS", SMARTPHONES, 269),
    Product("Redmi Note 12 128GB - Ice Blue", "Xiaomi", "RN12/128/ICE", SMARTPHONES, 129),
    Product("iPad Air (2022) 10.9-inch 64GB - Space Gray", "Apple", "IPAD-AIR5-64", TABLETS, 429),
    Product("iPad 9 (2021) 10.2-inch 64GB - Silver", "Apple", "IPAD9-64-SIL", TABLETS, 249),
    Product("Galaxy Tab S8 128GB - Graphite", "Samsung", "TABS8-128-GRA", TABLETS, 389),
    Product('MacBook Air 13" (2020) M1 8GB SSD 256GB - AZERTY', "Apple", "MBA13-M1-256", LAPTOPS, 649),
    Product('MacBook Pro 14" (2021) M1 Pro 16GB SSD 512GB', "Apple", "MBP14-M1P-512", LAPTOPS, 1149),
    Product("ThinkPad T480 14-inch Core i5 16GB SSD 256GB", "Lenovo", "TP-T480-I5-16", LAPTOPS, 259),
    Product("Latitude 7490 14-inch Core i7 16GB SSD 512GB", "Dell", "LAT7490 I7 16", LAPTOPS, 299),
    Product("PlayStation 5 Slim 1000GB - White", "Sony", "PS5-SLIM-1TB", CONSOLES, 399),
    Product("Switch OLED 64GB - White", "Nintendo", "NSW-OLED-WHT", CONSOLES, 249),
    Product("AirPods Pro 2 MagSafe", "Apple", "APP2-MAGSAFE", HEADPHONES, 169, 12),
    Product("WH-1000XM4 Noise-Cancelling - Black", "Sony", "WH1000XM4-BLK", HEADPHONES, 159, 12),
    Product("Apple Watch Series 8 45mm - Midnight", "Apple", "AWS8-45-MID", WATCHES, 279),
)
