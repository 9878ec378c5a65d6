"""Checksums of identifiers: of persons, of bank accounts, of wallets.

Each takes the identifier without separators, letters in upper case, and says whether it can be one.
The rules are those the issuing authorities publish.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

Checksum = Callable[[str], bool]


def luhn_digits(digits: str) -> bool:
    """Luhn's checksum (ISO/IEC 7812-1)."""
    doubled = [sum(divmod(2 * int(d), 10)) for d in digits[-2::-2]]
    return (sum(int(d) for d in digits[-1::-2]) + sum(doubled)) % 10 == 0


def _weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _is_short_date(yymmdd: str) -> bool:
    """Of the 20th or of the 21st century."""
    year, month, day = int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:6])
    return any(_is_date(century + year, month, day) for century in (1900, 2000))


def _varies(digits: str) -> bool:
    return len(set(digits)) > 1


def uk_nhs(value: str) -> bool:
    """Modulus 11, as the NHS data dictionary describes it."""
    return _varies(value) and (11 - _weighted(value[:9], range(10, 1, -1)) % 11) % 11 == _digit(value[9])


def _digit(char: str) -> int:
    return int(char) if char.isdigit() else -1


def uk_nino(value: str) -> bool:
    """No checksum; some prefixes are never issued."""
    return value[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


_ES_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def es_nif(value: str) -> bool:
    """DNI, NIE, and the numbers of persons without either (K, L, M): the remainder of 23 as a letter."""
    number = value[:-1].translate(str.maketrans("XYZKLM", "012000"))
    return number.isdigit() and _ES_LETTERS[int(number) % 23] == value[-1]


_IT_ODD_DIGITS = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_IT_ODD_LETTERS = (*_IT_ODD_DIGITS, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_IT_ODD = {
    **{str(i): value for i, value in enumerate(_IT_ODD_DIGITS)},
    **{chr(ord("A") + i): value for i, value in enumerate(_IT_ODD_LETTERS)},
}


def it_fiscal_code(value: str) -> bool:
    """Its last letter."""
    even = sum(int(c, 36) if c.isdigit() else ord(c) - ord("A") for c in value[1:15:2])
    return chr(ord("A") + (even + sum(_IT_ODD[c] for c in value[0:15:2])) % 26) == value[15]


def it_vat(value: str) -> bool:
    """Luhn's checksum; all zeros are nobody's."""
    return _varies(value) and luhn_digits(value)


def de_tax_id(value: str) -> bool:
    """ISO/IEC 7064 modulus 11, 10; at most one of the first ten digits repeats, three times at most.

    Numbers that are given repeat one; those in examples often none.
    """
    repeats = [value[:10].count(digit) for digit in set(value[:10])]
    if max(repeats) > 3 or sum(n > 1 for n in repeats) > 1:
        return False
    product = 10
    for digit in value[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(value[10])


def de_social_security(value: str) -> bool:
    """Weighted sums of digits; its letter counts as two digits, and a birthday stands inside."""
    month, day = int(value[4:6]), int(value[2:4])
    if not (1 <= month <= 12 and (1 <= day <= 31 or 51 <= day <= 81)):
        return False
    digits = f"{value[:8]}{ord(value[8]) - 64:02d}{value[9:11]}"
    products = (int(d) * w for d, w in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True))
    return sum(sum(divmod(p, 10)) for p in products) % 10 == int(value[11])


def de_health_insurance(value: str) -> bool:
    """Luhn's rule with the letter as two digits (GKV-Spitzenverband)."""
    digits = f"{ord(value[0]) - 64:02d}{value[1:9]}"
    products = (int(d) * w for d, w in zip(digits, (1, 2) * 5, strict=True))
    return sum(sum(divmod(p, 10)) for p in products) % 10 == int(value[9])


def icao(value: str) -> bool:
    """The check digit of machine readable travel documents (ICAO 9303), at the end."""
    return sum(int(c, 36) * (7, 3, 1)[i % 3] for i, c in enumerate(value[:-1])) % 10 == _digit(value[-1])


def de_id_card(value: str) -> bool:
    """ICAO's check digit; cards up to 2010 show eight digits behind a T without one."""
    return icao(value) or (value[0] == "T" and value[1:].isdigit())


def fr_nir(value: str) -> bool:
    """The complement of 97; Corsica's departments count as 19 and 18."""
    number = value[:13].replace("2A", "19", 1).replace("2B", "18", 1) if value[5:7] in {"2A", "2B"} else value[:13]
    return number.isdigit() and 97 - int(number) % 97 == int(value[13:])


def nl_bsn(value: str) -> bool:
    """The test of eleven."""
    return _varies(value) and _weighted(value, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def be_national(value: str) -> bool:
    """The complement of 97, for births from 2000 on with a 2 in front."""
    return any(97 - int(prefix + value[:9]) % 97 == int(value[9:]) for prefix in ("", "2"))


def _two_checks(value: str, length: int, highest: int) -> bool:
    """Brazil's two check digits."""
    for end in (length, length + 1):
        weights = [(end - 1 - i) % (highest - 1) + 2 for i in range(end)]
        if (11 - _weighted(value[:end], weights) % 11) % 11 % 10 != int(value[end]):
            return False
    return _varies(value)


def br_cpf(value: str) -> bool:
    """Two check digits."""
    return _two_checks(value, 9, 99)


def br_cnpj(value: str) -> bool:
    """Two check digits."""
    return _two_checks(value, 12, 9)


def pl_pesel(value: str) -> bool:
    """Weights 1, 3, 7, 9; the month says the century."""
    century, month = divmod(int(value[2:4]), 20)
    year = (1900, 2000, 2100, 2200, 1800)[century] + int(value[:2])
    return _is_date(year, month, int(value[4:6])) and _weighted(value, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def se_personnummer(value: str) -> bool:
    """Luhn's checksum over ten digits; days of coordination numbers are 60 later."""
    day = int(value[-6:-4])
    birth = value[-10:-6] + f"{day - 60 if day > 60 else day:02d}"
    if not _is_short_date(birth) or value[:-10] not in {"", "18", "19", "20"}:
        return False
    return luhn_digits(value[-10:])


def fi_hetu(value: str) -> bool:
    """The remainder of 31 as a character; a birthday stands in front."""
    if not _is_short_date(value[4:6] + value[2:4] + value[:2]) or value[-4:-1] < "002":
        return False
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(value[:6] + value[-4:-1]) % 31] == value[-1]


def no_fnr(value: str) -> bool:
    """Two check digits of modulus 11; a birthday stands in front."""
    day = int(value[:2])
    if not _is_short_date(value[4:6] + value[2:4] + f"{day - 40 if day > 40 else day:02d}"):
        return False
    first = _weighted(value, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
    return first and _weighted(value, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def ch_ahv(value: str) -> bool:
    """EAN-13."""
    return _weighted(value, (1, 3) * 6 + (1,)) % 10 == 0


_VERHOEFF_D5 = [
    [(j + i) % 5 if i < 5 and j < 5 else (j + i) % 5 + 5 if i < 5 else (i - j) % 5 + 5 if j < 5 else (i - j) % 5
     for j in range(10)]
    for i in range(10)
]  # fmt: skip
_VERHOEFF_P = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def verhoeff(value: str) -> bool:
    """Verhoeff's checksum (the dihedral group of ten elements)."""
    check = 0
    for position, char in enumerate(reversed(value)):
        digit = int(char)
        for _ in range(position % 8):
            digit = _VERHOEFF_P[digit]
        check = _VERHOEFF_D5[check][digit]
    return check == 0


def in_aadhaar(value: str) -> bool:
    """Verhoeff's checksum; no palindrome is issued."""
    return value != value[::-1] and verhoeff(value)


def in_pan(value: str) -> bool:
    """No checksum; four zeros are not issued."""
    return value[5:9] != "0000"


def au_tfn(value: str) -> bool:
    """The remainder of 11."""
    return _varies(value) and _weighted(value, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def au_abn(value: str) -> bool:
    """The remainder of 89, one taken from the first digit."""
    number = str(int(value[0]) - 1) + value[1:] if value[0] != "0" else ""
    return bool(number) and _weighted(number, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) % 89 == 0


def au_acn(value: str) -> bool:
    """Weights 8 to 1, the complement of 10."""
    return _varies(value) and (10 - _weighted(value[:8], range(8, 0, -1)) % 10) % 10 == int(value[8])


def au_medicare(value: str) -> bool:
    """Weights 1, 3, 7, 9; the check digit is the ninth."""
    return _weighted(value[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(value[8])


def sg_nric(value: str) -> bool:
    """The remainder of 11 as a letter, by series."""
    total = _weighted(value[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(value[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "M": "XWUTRQPNJLK"}.get(value[0], "XWUTRQPNMLK")
    return letters[total % 11] == value[8]


def kr_rrn(value: str) -> bool:
    """A birthday and a region. There is a check digit only in numbers given before October 2020."""
    if value[6] in "90":  # births of before 1900
        check = 11 - _weighted(value[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11
        return _is_short_date(value[:6]) and check % 10 == int(value[12])
    return _is_short_date(value[:6]) and int(value[7:9]) <= 96


def ca_sin(value: str) -> bool:
    """Luhn's checksum; none begins with 0 or 8."""
    return _varies(value) and value[0] not in "08" and luhn_digits(value)


def us_npi(value: str) -> bool:
    """Luhn's checksum behind 80840, the prefix of US health cards."""
    return len(set(value)) > 2 and luhn_digits("80840" + value)


def us_aba(value: str) -> bool:
    """Weights 3, 7, 1."""
    return _weighted(value, (3, 7, 1) * 3) % 10 == 0 and _varies(value)


def us_dea(value: str) -> bool:
    """The sum of three digits and twice that of the others ends as the number does."""
    digits = [int(d) for d in value[2:]]
    return (sum(digits[0:6:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6]


def tr_national(value: str) -> bool:
    """Two check digits."""
    digits = [int(d) for d in value]
    tenth = (7 * sum(digits[0:9:2]) - sum(digits[1:8:2])) % 10
    return digits[9] == tenth and digits[10] == sum(digits[:10]) % 10


def th_national(value: str) -> bool:
    """The complement of 11."""
    return _varies(value) and (11 - _weighted(value[:12], range(13, 1, -1)) % 11) % 10 == int(value[12])


def za_id(value: str) -> bool:
    """A birthday, then Luhn's checksum."""
    return _is_short_date(value[:6]) and luhn_digits(value)


def cn_resident(value: str) -> bool:
    """ISO/IEC 7064 modulus 11, 2; a birthday stands inside."""
    weights = [2 ** (17 - i) % 11 for i in range(17)]
    is_born = _is_date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    return is_born and "10X98765432"[_weighted(value[:17], weights) % 11] == value[17]


def mx_curp(value: str) -> bool:
    """Weights 18 to 2 over an alphabet with an Ñ."""
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(c) * (18 - i) for i, c in enumerate(value[:17]))
    return _is_short_date(value[4:10]) and (10 - total % 10) % 10 == _digit(value[17])


def never_fails(_value: str) -> bool:
    """For identifiers without a checksum."""
    return True


BY_NAME: dict[str, Checksum] = {
    f.__name__: f
    for f in (
        uk_nhs, uk_nino, es_nif, it_fiscal_code, it_vat, de_tax_id, de_social_security, de_health_insurance, icao,
        de_id_card, fr_nir, nl_bsn, be_national, br_cpf, br_cnpj, pl_pesel, se_personnummer, fi_hetu, no_fnr, ch_ahv,
        in_aadhaar, in_pan, au_tfn, au_abn, au_acn, au_medicare, sg_nric, kr_rrn, ca_sin, us_npi, us_aba, us_dea,
        tr_national, th_national, za_id, cn_resident, mx_curp,
    )
}  # fmt: skip
