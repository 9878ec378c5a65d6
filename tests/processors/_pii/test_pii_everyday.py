"""What looks like a value, or like an escape, and is none stays byte for byte.

Proves it for the kinds listed and for every text of the captured payloads. Does not prove that
no false find exists.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from collector.model import attributes
from collector.model.batch import Signal
from collector.model.codec.chosen import decode, prepare_json
from processors._pii.views.readings import readings
from tests.processors._pii.pii_kit import mask_text, processor

_MASKER = processor()
_CAPTURED = Path(__file__).parents[2] / "fixtures" / "otlp"

EVERYDAY = [
    # ids and digests
    "3f2c9a1e-7b44-4d0e-9c11-0a5b7e6d2f10",
    "msg_01XFDUDYJgAACzvnptvVoYEL toolu_01T1x1fJ34qAmk2tNTrN7Up6 call_62136355",
    "chatcmpl-9u4Eo1vXxAaBbCcDd1122334455 run-4111-1111-1111-1112",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "d41d8cd98f00b204e9800998ecf8427e 01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "x4111111111111111 a4111111111111111f 4111111111111111b",
    "order_4111111111111112 snowflake_1541815603606036480 fb_100012345678901",
    # numbers, dates, versions, paths
    "2024-11-03T10:22:31Z 1763697731125 1,204,331 rows 0.4111111111111111 4.25%",
    "2021.2022.2023.2024 2021/2022/2023/2024 10.1.2.3 1.2.3.4-rc.5 v4.1111.1111",
    "[4111,1111,1111,1111] [5500, 0000, 0000, 0004]",
    "/data/2024/4111/1111/1111/1111/part.parquet 1000/4111/1111/1111/1111/1",
    "4111\n1111\n1111\n1111\n2222\n3333",
    "1_000_000 0x1F_2E 4_111_111_111_111_111",
    "100+20+3000 536+90+4399 536/90/4399 536,90,4399",
    "SN536-90-4399 part A536-90-4399B",
    # URLs and what is encoded in them
    "https://x.example/a%20b/c%2Fd?e=f%3Dg&h=%C3%A4&v=3#frag",
    "https://x.example/?redirect=https%3A%2F%2Fy.example%2Fa%3Fb%3Dc",
    "https://x.example/?w=40&h=40px&q=100%25&size=20x40",
    "printf('%20s %5d%% %x', a) 100%4 50%40 of 20%",
    # code and markup
    "a &= b; c = d&e; if (x && y) return &z; &foo; &lt;b&gt;AT&amp;T&lt;/b&gt;",
    r"C:\x64\temp\new \d+\w{3}\1 \033[31mred\x1b[0m \u00e9t\u00e9 \U0001F600 r'\100'",
    "timeout=40ms.total width=40px.solid x=3D y==20 a=41b",
    "decorator@40 @dataclass user@host img@2x.png lodash@4.17.21",
    # other scripts and typography
    "Всё хорошо: счёт №4 на 2 500 ₽, окно А4. Ελληνικά: α + β = γ.",
    "它是一个例子，用来说明：１２３。「全角」ＡＢＣ",
    "१२ मार्च २०२४, ١٢ مارس ٢٠٢٤, 10–20 °C, m², ½, nº 5, 1ª, ①②③, №, ™",
    "👨‍👩‍👧 ❤️ 1️⃣ Donau\u00addampf\u00adschiff co\u00adoperate می\u200cخواهم",
    # talk about passwords and tokens
    "password: required, must have 8 characters. Password: ******** password=${PASSWORD} token: {{token}}",
    "Forgot your password? Enter the new password: it is case-sensitive. The secret: always add salt.",
    "def login(user: str, password: str, token: Token | None = None) -> Secret:",
    "login(user=user, password=password, token=token) token=get_token() password=os.environ['PW']",
    "const token = await auth.getToken(); api_key=settings.api_key password = hash(pw)",
    "max_tokens: 4096, token: 17, next_page_token=CAESBgoEGgIIAQ eos_token=</s> pad_token=[PAD] token=tok1",
    "tokens: 1234 secretary: Anna2 tokenizer=cl100k_base passwordless: v2 key=value1",
    "api_key: string password: z.string() secret: true token: null password: undefined",
    # words of vendors' keys
    "SK-LEARN-STYLE-CLASSIFIER-PIPELINES HF_HUB_ENABLE_HF_TRANSFER_ALWAYS NPM_CONFIG_REGISTRY_MIRROR_URL",
    "asiapacificregionalteam SK-2024-PRAGUE",
]


@pytest.mark.parametrize("text", EVERYDAY, ids=lambda t: t[:24])
def test_everyday_text_stays(text: str) -> None:
    assert mask_text(_MASKER, text) == text


def test_no_text_of_a_captured_payload_is_masked_that_holds_nothing() -> None:
    seen = set()
    for file in sorted(_CAPTURED.rglob("*.traces.*")):
        body = file.read_bytes()
        body = prepare_json(Signal.TRACES, body) if file.suffix == ".json" else body
        for batch in decode(Signal.TRACES, [body]).batches:
            seen.update(t for t in attributes.flatten(batch.column("attributes")).texts.to_pylist() if t)
    assert len(seen) > 1000
    changed = {text: mask_text(_MASKER, text) for text in seen if mask_text(_MASKER, text) != text}
    assert {t[:300]: m[:300] for t, m in changed.items()} == {}


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60).filter(lambda t: "@" not in t))
def test_a_text_that_holds_nothing_is_the_same_bytes(text: str) -> None:
    # Random text holds no value: a checksum, a domain and a vendor's prefix do not come by chance.
    assert mask_text(_MASKER, text) == text


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["%", "25", "40", "&", "amp;", "#64;", "\\", "x40", "u0040", "=", "3D", "\n", "a", "é"]))
)
def test_each_stretch_of_a_reading_has_its_place_in_the_original(parts: list[str]) -> None:
    raw = "".join(parts).encode()
    for reading in readings(raw):
        last = 0
        for position in range(len(reading.read)):
            start, end = reading.span(position, position + 1)
            assert last <= start < end <= len(raw) or start < end == last
            last = end
        if reading.read:
            start, end = reading.span(0, len(reading.read))
            assert 0 <= start < end <= len(raw)
