"""What each entity is, and what it is not.

Proves it case by case, near misses too. Does not prove rates over real text (``test_pii_corpus``).
"""

from __future__ import annotations

import base64
import json

import pytest

from processors._pii.patterns import marker
from tests.processors._pii.pii_kit import (
    AWS_KEY,
    CARD,
    EMAIL,
    IBAN,
    OPENAI_KEY,
    SSN,
    engine,
    found,
    mask_text,
    processor,
)

_ENGINE = engine()
_MASKER = processor()
_A = "aB3dE5gH7j"
_JWT = "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
_PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow" + "IBAAKCAQEA\n" * 3 + "-----END RSA " + "PRIVATE KEY-----"

POSITIVE = [
    ("email", f"write to {EMAIL}.", EMAIL),
    ("email", "我的邮箱是foo.bar@example.com请联系", "foo.bar@example.com"),
    ("email", "иван@пример.рф", "иван@пример.рф"),
    ("email", "https://x.example/?mail=foo%40bar.com&b=1", "foo%40bar.com"),
    ("email", "<a href='mailto:foo@bar.co.uk'>", "foo@bar.co.uk"),
    ("email", "foo&#64;bar.com", "foo&#64;bar.com"),
    ("email", "foo＠bar.com", "foo＠bar.com"),
    ("email", "x=foo@bar.com", "foo@bar.com"),
    ("credit_card", f"card {CARD}", CARD),
    ("credit_card", "4111-1111-1111-1111, thanks", "4111-1111-1111-1111"),
    ("credit_card", "3782 822463 10005", "3782 822463 10005"),
    ("credit_card", "No.4111 1111 1111 1111.", "4111 1111 1111 1111"),
    ("credit_card", "1234 4111 1111 1111 1111 5", "4111 1111 1111 1111"),
    ("credit_card", "4111\u00a01111\u00a01111\u00a01111", "4111\u00a01111\u00a01111\u00a01111"),
    ("credit_card", "４１１１１１１１１１１１１１１１", "４１１１１１１１１１１１１１１１"),
    ("iban", f"to {IBAN},", IBAN),
    ("iban", "DE89 3704 0044 0532 0130 00 BIC", "DE89 3704 0044 0532 0130 00"),
    ("iban", IBAN.lower(), IBAN.lower()),
    ("us_ssn", f"it is {SSN}.", SSN),
    ("us_ssn", "ssn: 536904399", "536904399"),
    ("us_ssn", "Social Security Number 536 90 4399", "536 90 4399"),
    ("api_key", f"key={OPENAI_KEY}", OPENAI_KEY),
    ("api_key", "sk-" + "ant-api03-" + _A * 9, "sk-" + "ant-api03-" + _A * 9),
    ("api_key", "sk-" + _A * 2, "sk-" + _A * 2),
    ("api_key", "sk-" + "abcdefghij" * 2, "sk-" + "abcdefghij" * 2),
    ("api_key", "sk-" + "proj-" + "abcdefghij" * 2, "sk-" + "proj-" + "abcdefghij" * 2),
    ("api_key", "sk-" + "ant-" + "0123456789" * 2, "sk-" + "ant-" + "0123456789" * 2),
    ("api_key", "gho_" + _A * 2, "gho_" + _A * 2),
    ("api_key", AWS_KEY, AWS_KEY),
    ("api_key", "aws_secret_access_key = " + _A * 4, _A * 4),
    ("api_key", "ghp_" + _A * 3 + "aB3dE5", "ghp_" + _A * 3 + "aB3dE5"),
    ("api_key", "github_pat_" + _A * 3, "github_pat_" + _A * 3),
    ("api_key", "glpat-" + _A * 2, "glpat-" + _A * 2),
    ("api_key", "xoxb-" + "1234567890-" + _A, "xoxb-" + "1234567890-" + _A),
    ("api_key", "AIza" + _A * 3 + "aB3dE", "AIza" + _A * 3 + "aB3dE"),
    ("api_key", "sk_" + "live_" + _A * 2, "sk_" + "live_" + _A * 2),
    ("api_key", "hf_" + _A * 3, "hf_" + _A * 3),
    ("api_key", "SG." + _A * 2 + "." + _A * 4, "SG." + _A * 2 + "." + _A * 4),
    ("api_key", "AccountKey=" + _A * 8 + "==;", _A * 8 + "=="),
    ("jwt", f"token {_JWT} end", _JWT),
    ("private_key", f"key: {_PEM} end", _PEM),
    ("private_key", _PEM[:60], _PEM[:60]),
    ("url_credentials", "postgres://app:s3cr3t@db/x", "app:s3cr3t"),
    ("url_credentials", "amqp://app:p@ss:w0rd@mq/", "app:p@ss:w0rd"),
    ("url_credentials", "https://x.example/y?a=1&api_key=0123456789&b=2", "0123456789"),
    ("authorization", "Authorization: Bearer " + _A * 2, _A * 2),
    ("authorization", "curl -H 'authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l'", "YWxhZGRpbjpvcGVuc2VzYW1l"),
    ("secret", '{"password": "hunter2"}', "hunter2"),
    ("secret", "{'db_password': 'hunter2'}", "hunter2"),
    ("secret", '{"apiKey":"abc","x":1}', "abc"),
    ("secret", '{"headers":{"Cookie":["a=1","b=2"]}}', "a=1"),
    ("secret", '{"password": "cut o', "cut o"),
    ("secret", "export OPENAI_API_KEY=abcdefgh123", "abcdefgh123"),
    ("secret", "x-api-key: abcdefgh123", "abcdefgh123"),
]

NEGATIVE = [
    "git clone git@github.com:org/repo.git",
    "npm i lodash@4.17.21-beta.rc",
    "img/icon@2x.png",
    "@dataclass\nclass A: ...",
    "a@b",
    "0.4111111111111111",
    f"x{CARD}",
    "id 4111111111111112",
    "1760000000000000000",
    "1763697731125",
    "3f2c9a1e-7b44-4d0e-9c11-0a5b7e6d2f10",
    "DE89370400440532013001",
    "ABCD12345678901234567890",
    "666-12-3456 000-12-3456 900-12-3456 078-05-1120",
    "536-90-43991",
    "1.536-90-4399",
    "a risk-based-approach-to-security-testing",
    "the sk-folding-cube-animation-wrapper class",
    "task-aB3dE5gH7jaB3dE5gH7j",
    "AKIA is a prefix",
    "Basic understanding of the bearer token-based-authentication",
    "https://example.com:8080/a?b=c@d",
    "postgres://${USER}:${PASSWORD}@db/x",
    '{"max_tokens": 4096, "gen_ai.usage.input_tokens": 123456789}',
    '{"password": "[SECRET]"}',
    '{"secretary": "Ann", "token": "Hello"}',
    "eyJ is how a JWT begins",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
]


@pytest.mark.parametrize(("entity", "text", "value"), POSITIVE, ids=lambda v: v[:24])
def test_finds(entity: str, text: str, value: str) -> None:
    assert (entity, value) in [(name, text[start:end]) for name, start, end in found(_ENGINE, text)]


@pytest.mark.parametrize(("entity", "text", "value"), POSITIVE, ids=lambda v: v[:24])
def test_masks_in_a_batch(entity: str, text: str, value: str) -> None:
    masked = mask_text(_MASKER, text)
    assert value not in masked
    assert len(masked) < len(text) + 24


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize(("entity", "text", "value"), POSITIVE, ids=lambda v: v[:24])
def test_masks_inside_json(entity: str, text: str, value: str, depth: int, ascii_only: bool) -> None:
    encoded: str = f"line\n{text}\t"
    for _ in range(depth):
        encoded = json.dumps({"v": encoded, "n": 1}, ensure_ascii=ascii_only)
    masked: str = mask_text(_MASKER, encoded)
    for _ in range(depth):
        masked = json.loads(masked)["v"]
    assert value not in masked
    assert masked.startswith("line\n")


@pytest.mark.parametrize("text", NEGATIVE)
def test_leaves_alone(text: str) -> None:
    assert found(_ENGINE, text) == []


def test_opt_in_entities_are_off_until_asked_for() -> None:
    text = "call +49 30 901820 or 415-555-0132 from 203.0.113.7, 2001:db8::17 or 00:1A:2B:3C:4D:5E"
    assert mask_text(processor(), text) == text
    on = processor(entities={"phone": "redact", "ip_address": True, "mac_address": "redact"})
    assert mask_text(on, text) == "call [PHONE] or [PHONE] from [IP_ADDRESS], [IP_ADDRESS] or [MAC_ADDRESS]"


def test_basic_credentials_are_told_from_prose_by_what_they_encode() -> None:
    secret = base64.b64encode(b"user:pass").decode()
    assert mask_text(processor(), f"Basic {secret}") == "Basic [AUTHORIZATION]"
    assert mask_text(processor(), "Basic mathematics") == "Basic mathematics"


def test_two_cards_in_one_run_of_digits_are_both_found() -> None:
    text = f"{CARD} 4012-8888-8888-1881 4012 8888 8888 1881"
    assert mask_text(processor(), text) == "[CREDIT_CARD] [CREDIT_CARD] [CREDIT_CARD]"


OPT_IN = [
    ("be_national", "85.07.30-033 28"),
    ("br_cnpj", "11.222.333/0001-81"),
    ("br_cpf", "111.444.777-35"),
    ("ch_ahv", "756.9217.0769.09"),
    ("cn_resident_id", "360426199101010071"),
    ("fr_nir", "2 53 10 72 073 004 18"),
    ("mx_curp", "BOXW310820HNERXN09"),
    ("nl_bsn", "1234.56.708"),
    ("no_fnr", "010190 50188"),
    ("in_aadhaar", "3123 4567 8909"),
    ("us_itin", "911-70-1234"),
    ("uk_nino", "AA 12 34 56 B"),
    ("mac_address", "0012.3456.789a"),
    ("url", "https://example.org/a?b=c#d"),
    ("url", "www.example.org/x"),
    ("crypto_wallet", "0x5AEDA56215b167893e80B4fE645BA6d5Bab767DE"),
    ("crypto_wallet", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
    ("crypto_wallet", "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ"),
]


@pytest.mark.parametrize(("entity", "value"), OPT_IN)
@pytest.mark.parametrize("around", ["{}", "it is {}.", '{{"a": "x\\n{}"}}', "它是{}。"])
def test_finds_what_is_asked_for(entity: str, value: str, around: str) -> None:
    text = around.format(value)
    assert mask_text(processor(entities={entity: "redact"}), text) == around.format(f"[{marker(entity)}]")


WITHOUT_CHECKSUM = {"us_itin", "uk_nino", "mac_address", "url"}


@pytest.mark.parametrize(("entity", "value"), [each for each in OPT_IN if each[0] not in WITHOUT_CHECKSUM])
def test_a_wrong_checksum_is_no_identifier(entity: str, value: str) -> None:
    wrong = value[:-2] + {"0": "1", "9": "8"}.get(value[-2], "0" if value[-2].isdigit() else "q") + value[-1]
    assert mask_text(processor(entities={entity: "redact"}), wrong) == wrong


@pytest.mark.parametrize(
    ("entity", "text", "masked"),
    [
        ("ca_sin", "order 130692544 shipped", None),  # one number in ten has the checksum
        ("ca_sin", "my SIN: 130692544", "my SIN: [CA_SIN]"),
        ("ca_sin", "order 130-692-544 shipped", "order [CA_SIN] shipped"),
        ("ca_sin", "130692544", "[CA_SIN]"),
        ("us_passport", "912803456", None),
        ("us_passport", "passport no. 912803456", "passport no. [US_PASSPORT]"),
        ("us_bank_account", "invoice 945456787654", None),
        ("us_bank_account", "account 945456787654", "account [US_BANK_ACCOUNT]"),
        ("us_bank_account", "945456787654 is my bank account", "[US_BANK_ACCOUNT] is my bank account"),
        ("us_driver_license", "driver's license: 6940579", "driver's license: [US_DRIVER_LICENSE]"),
        ("tr_national_id", "0.10000000146", None),
        ("tr_national_id", "10000000146-7", None),
        ("in_aadhaar", "9f2c-312345678909", None),
        ("phone", "Telefon: 030 901820", "Telefon: [PHONE]"),
        ("url", "std::vector, a://b, http://x", None),
    ],
)
def test_weak_forms_need_words_or_separators(entity: str, text: str, masked: str | None) -> None:
    assert mask_text(processor(entities={entity: "redact"}), text) == (masked or text)


def test_identifiers_are_off_and_ids_of_calls_are_none() -> None:
    text = "passport 912803456, NHS 943-476-5870, PAN ACUPA7085R"
    assert mask_text(processor(), text) == text
    on = processor(entities={"ca_sin": "redact", "uk_nhs": "redact", "it_vat": "redact"})
    assert mask_text(on, "1-130692544-x", key="gen_ai.response.id") == "1-130692544-x"
