"""What the shops of the demo sell and who buys there. Written by us: no article, person or address is real.

Telephone numbers are of the series the Swedish regulator PTS keeps free for fiction (070-1740605 to 1740699),
e-mail domains those of RFC 2606.
"""

from __future__ import annotations

from decimal import Decimal

import attrs


@attrs.frozen
class Article:
    """An article: `price` incl. tax for one piece, or for one kilogram when it is `weighed`."""

    sku: str
    name: str
    group: str
    price: Decimal
    tax: Decimal
    weighed: bool = False


_FOOD, _BOOKS, _OTHER = Decimal(12), Decimal(6), Decimal(25)

ARTICLES = (
    Article("7300010010", "Coffee, dark roast 450 g", "Groceries", Decimal("64.90"), _FOOD),
    Article("7300010027", "Oat drink 1 l", "Groceries", Decimal("22.50"), _FOOD),
    Article("7300010034", "Crispbread, rye", "Groceries", Decimal("18.90"), _FOOD),
    Article("7300010041", "Cinnamon bun", "Bakery", Decimal("24.00"), _FOOD),
    Article("7300010058", "Sourdough loaf", "Bakery", Decimal("59.00"), _FOOD),
    Article("2000001", "Cheese, aged 12 months", "Deli", Decimal("189.00"), _FOOD, weighed=True),
    Article("2000002", "Apples, Ingrid Marie", "Fruit", Decimal("34.95"), _FOOD, weighed=True),
    Article("2000003", "Salmon fillet", "Deli", Decimal("259.00"), _FOOD, weighed=True),
    Article("9789100001", "Archipelago, a field guide", "Books", Decimal("249.00"), _BOOKS),
    Article("9789100002", "Notebook, ruled & bound", "Stationery", Decimal("79.00"), _OTHER),
    Article("7300020019", "Candle, set of 4", "Home", Decimal("99.00"), _OTHER),
    Article("7300020026", "Linen towel", "Home", Decimal("149.00"), _OTHER),
    Article("7300020033", "Enamel mug, blue", "Home", Decimal("119.50"), _OTHER),
    Article("7300020040", "Wool socks, size 38 to 40", "Clothing", Decimal("169.00"), _OTHER),
    Article("7300020057", "Rain jacket, women's M", "Clothing", Decimal("1299.00"), _OTHER),
    Article("7300020064", "Scarf, merino", "Clothing", Decimal("449.00"), _OTHER),
    Article("7300020071", "Head torch, 300 lm", "Outdoor", Decimal("399.00"), _OTHER),
    Article("7300020088", "Vacuum flask 0.75 l", "Outdoor", Decimal("329.00"), _OTHER),
)

FIRST_NAMES = (
    "Åsa", "Björn", "Camilla", "Dragan", "Elin", "Fatima", "Gösta", "Hanna", "Ivar", "Jasmin", "Kjell", "Lovisa",
    "Mehmet", "Nils", "Olivia", "Per-Olof", "Rut", "Samira", "Tove", "Ulf", "Vera", "Wilma", "Yusuf", "Zelda",
)  # fmt: skip

LAST_NAMES = (
    "Ahlgren", "Björkman", "Dahlqvist", "Ek", "Fjällström", "Hägg", "Jönsson", "Kovač", "Lindh", "Månsson", "Nyström",
    "O'Neill", "Östlund", "Rehn", "Sjöö", "Törnqvist", "Wahl", "Yilmaz", "Zetterlund", "af Ugglas",
)  # fmt: skip

CITIES = ("Kalmar", "Luleå", "Växjö", "Örebro", "Visby", "Falun")

PHONE_SERIES = range(701740605, 701740700)
