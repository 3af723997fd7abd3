"""Payroll lines and census that break the contract: a coded answer each, and no mark on anybody else's money."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import orjson
import pytest
from aiokafka.errors import MessageSizeTooLargeError

from deploy.operate.books import open_books
from shared.events import topics
from shared.events.topics import RECORD_BYTES_MAX
from shared.runtime.records import DAY_CUT, LANE_CLOSED, VALUE_CUT
from tests.support import events
from tests.support.events import Outgoing, fresh
from tests.support.payday import PARTITIONS, Payday
from tests.support.wire import codes

pytestmark = pytest.mark.slow
Break = Callable[[Outgoing], Outgoing]


def cents(value: object) -> Break:
    """The line with this in the place of its cents, written as JSON text."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return lambda line: line.but(value=(line.value or b"").replace(b'"cents":10000', f'"cents":{text}'.encode()))


def raw(value: bytes | None) -> Break:
    return lambda line: line.but(value=value)


def body(**changes: object) -> Break:
    return lambda line: line.but(body=changes)


def typed(ce_type: bytes) -> Break:
    return lambda line: line.with_header("ce_type", ce_type)


def deep_with_float(line: Outgoing) -> Outgoing:
    """A body that is fine but for an unknown field, nested as deep as the parser lets through."""
    nested = b"[" * 900 + b"1.5" + b"]" * 900
    return line.but(
        value=(line.value or b"")[:-1].replace(b'"pay_date":"2026-11-20"', b'"pay_date":1') + b',"x":' + nested + b"}"
    )


ANSWERED: dict[str, tuple[Break, str, str]] = {
    # name: how the line is broken, the dead letter's code, the receipt's code
    "not JSON": (raw(b"{not json"), "NOT_JSON", "MALFORMED"),
    "no bytes": (raw(b""), "NOT_JSON", "MALFORMED"),
    "a tombstone": (raw(None), "NOT_JSON", "MALFORMED"),
    "bytes that are no UTF-8": (raw(b'{"plan_id":"\xff\xfe"}'), "NOT_JSON", "MALFORMED"),
    "a lone surrogate": (raw(b'{"plan_id":"\\ud800"}'), "NOT_JSON", "MALFORMED"),
    "brackets without end": (raw(b"[" * 100_000), "NOT_JSON", "MALFORMED"),
    "not a number": (cents("NaN"), "NOT_JSON", "MALFORMED"),
    "a list instead of an object": (raw(b"[]"), "WRONG_SHAPE", "MALFORMED"),
    "a nest with a float in it": (deep_with_float, "WRONG_SHAPE", "MALFORMED"),
    "a structured event nested too deep to be written again": (events.nested_too_deep, "WRONG_SHAPE", "MALFORMED"),
    "no amounts": (body(amounts=None), "WRONG_SHAPE", "MALFORMED"),
    "amounts as an object": (body(amounts={"pre_tax": 100}), "WRONG_SHAPE", "MALFORMED"),
    "an amount that is a number": (body(amounts=[100]), "WRONG_SHAPE", "MALFORMED"),
    "a number for a payroll": (body(payroll_id=7), "WRONG_SHAPE", "MALFORMED"),
    "no plan": (body(plan_id=None), "WRONG_SHAPE", "MALFORMED"),
    "a plan id of 129 characters": (body(plan_id="p" * 129), "WRONG_SHAPE", "MALFORMED"),
    "a NUL in an id": (body(payroll_id="run\x00"), "WRONG_SHAPE", "MALFORMED"),
    "a NUL in a field nobody reads": (body(note="\x00"), "WRONG_SHAPE", "MALFORMED"),
    "a control character in an id": (body(payroll_id="run\x07"), "WRONG_SHAPE", "MALFORMED"),
    "cents with a fraction": (cents(100.5), "WRONG_SHAPE", "MALFORMED"),
    "cents as a float": (cents("10000.0"), "WRONG_SHAPE", "MALFORMED"),
    "cents in quotes": (cents('"10000"'), "WRONG_SHAPE", "MALFORMED"),
    "cents as a boolean": (cents(True), "WRONG_SHAPE", "MALFORMED"),
    "no cents": (cents(None), "WRONG_SHAPE", "MALFORMED"),
    "10^30 cents": (cents("1" + "0" * 30), "WRONG_SHAPE", "MALFORMED"),
    "2^64 cents": (cents(str(2**64)), "WRONG_SHAPE", "MALFORMED"),
    "a hundred billion dollars and a cent": (cents(10**13 + 1), "WRONG_SHAPE", "MALFORMED"),
    "pay that is negative": (body(compensation_cents=-1), "WRONG_SHAPE", "MALFORMED"),
    "pay as a boolean": (body(compensation_cents=True), "WRONG_SHAPE", "MALFORMED"),
    "the 30th of February": (body(pay_date="2026-02-30"), "WRONG_SHAPE", "MALFORMED"),
    "a week instead of a date": (body(pay_date="2026-W47-5"), "WRONG_SHAPE", "MALFORMED"),
    "a date with a time": (body(pay_date="2026-11-20T00:00:00"), "WRONG_SHAPE", "MALFORMED"),
    "a date as a number": (body(pay_date=20261120), "WRONG_SHAPE", "MALFORMED"),
    "65 sources": (
        body(amounts=[{"source": f"s{n}", "cents": 1} for n in range(65)]), "TOO_MANY_SOURCES", "TOO_MANY_SOURCES",
    ),
    "10,000 sources": (
        body(amounts=[{"source": f"s{n}", "cents": 1} for n in range(10_000)]), "TOO_MANY_SOURCES", "TOO_MANY_SOURCES",
    ),
    "an unknown type": (typed(b"nestwork.payroll.bonus.v1"), "UNKNOWN_EVENT_TYPE", "UNKNOWN_EVENT_TYPE"),
    "another topic's type": (typed(b"nestwork.plan.v1"), "UNKNOWN_EVENT_TYPE", "UNKNOWN_EVENT_TYPE"),
    "a newer major version": (typed(b"nestwork.payroll.contribution.v2"), "NEWER_VERSION", "NEWER_VERSION"),
    "a type that is no ASCII": (
        typed("nestwork.payroll.contribución.v1".encode()), "UNKNOWN_EVENT_TYPE", "UNKNOWN_EVENT_TYPE",
    ),
    "a type with a NUL": (typed(b"nestwork\x00payroll"), "UNKNOWN_EVENT_TYPE", "UNKNOWN_EVENT_TYPE"),
    "a type of 300,000 letters": (
        typed(os.urandom(150_000).hex().encode()), "UNKNOWN_EVENT_TYPE", "UNKNOWN_EVENT_TYPE",
    ),
    "no type": (lambda line: line.without_header("ce_type"), "MISSING_HEADERS", "MALFORMED"),
    "a binary header beside a broken body": (
        lambda line: line.but(value=b"{").with_header("b3", b"\x00\x01\xff"), "NOT_JSON", "MALFORMED",
    ),
    "a header without a value beside a broken body": (
        lambda line: line.but(value=b"{", headers=[*line.headers, ("note", None)]), "NOT_JSON", "MALFORMED",
    ),
    "a header whose name is no ASCII beside a broken body": (
        lambda line: line.but(value=b"{", headers=[*line.headers, ("größe", b"1"), ("größe", b"2")]),
        "NOT_JSON", "MALFORMED",
    ),
    "a header whose name has a NUL beside a broken body": (
        lambda line: line.but(value=b"{", headers=[*line.headers, ("a\x00b", b"1")]), "NOT_JSON", "MALFORMED",
    ),
    "a cut marker of its own making": (
        lambda line: line.but(value=b'{"trade_date":"2026-12-31"}').with_header("ce_type", DAY_CUT.encode()),
        "UNSIGNED_MARKER", "",
    ),
    "a value cut marker with a made-up signature": (
        lambda line: line.but(value=b'{"trade_date":"2026-12-31"}').with_header("ce_type", VALUE_CUT.encode())
        .with_header("nestwork_signature", b"00" * 32),
        "UNSIGNED_MARKER", "",
    ),
    "a marker with a signature without a value": (
        lambda line: line.but(
            value=b'{"trade_date":"2026-12-31"}', headers=[*line.headers, ("nestwork_signature", None)],
        ).with_header("ce_type", DAY_CUT.encode()),
        "UNSIGNED_MARKER", "",
    ),
    "an internal marker": (
        lambda line: line.but(value=b'{"trade_date":"2026-12-31"}').with_header("ce_type", LANE_CLOSED.encode()),
        "UNSIGNED_MARKER", "",
    ),
    "a marker whose date is a list": (
        lambda line: line.but(value=b'{"trade_date":[1]}').with_header("ce_type", DAY_CUT.encode()),
        "UNSIGNED_MARKER", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERED)
async def test_a_line_that_says_who_sent_it_gets_a_dead_letter_and_an_answer(payday: Payday, case: str) -> None:
    how, letter_code, receipt_code = ANSWERED[case]
    bad = how(events.line(payday.person(1)))
    async with payday.between_good_ones(1):
        (sent,) = await payday.wire.send(bad)
    await payday.dead_letter(sent, "contribution", letter_code)
    if receipt_code:
        receipt = await payday.wire.receipt(bad.ce_id)
        assert (receipt["status"], receipt["accepted_cents"], receipt["rejected_cents"]) == ("rejected", 0, 0)
        assert codes(receipt) == [receipt_code]
        assert len(orjson.dumps(receipt)) < 2_000
    else:
        assert payday.wire.receipts(bad.ce_id) == []


SILENT: dict[str, tuple[Break, str]] = {
    "no ce_id": (lambda line: line.without_header("ce_id"), "MISSING_HEADERS"),
    "no ce_source": (lambda line: line.without_header("ce_source"), "MISSING_HEADERS"),
    "an empty ce_id": (lambda line: line.with_header("ce_id", b""), "MISSING_HEADERS"),
    "a ce_id without a value": (
        lambda line: line.but(headers=[*line.without_header("ce_id").headers, ("ce_id", None)]), "MISSING_HEADERS",
    ),
    "a ce_id that is no UTF-8": (lambda line: line.with_header("ce_id", b"\xff\xfe"), "MISSING_HEADERS"),
    "a ce_id with a NUL": (lambda line: line.with_header("ce_id", b"a\x00b"), "WRONG_SHAPE"),
    "a ce_id of a million control characters": (
        lambda line: line.with_header("ce_id", b"\x01" * 1_000_000), "WRONG_SHAPE",
    ),
    "a type without a value": (
        lambda line: line.but(
            headers=[*line.without_header("ce_type").without_header("ce_id").headers, ("ce_type", None)],
        ),
        "MISSING_HEADERS",
    ),
    "no headers": (lambda line: line.but(headers=[]), "MISSING_HEADERS"),
    "a content type without a value": (
        lambda line: line.but(headers=[("content-type", None), ("ce_type", b"nestwork.payroll.contribution.v1")]),
        "MISSING_HEADERS",
    ),
    "no key": (lambda line: line.but(key=None, partition=1), "MISSING_HEADERS"),
    "an empty key": (lambda line: line.but(key=b"", partition=1), "MISSING_HEADERS"),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
async def test_a_line_that_does_not_say_who_sent_it_gets_only_a_dead_letter(payday: Payday, case: str) -> None:
    how, code = SILENT[case]
    bad = how(events.line(payday.person(1)))
    async with payday.between_good_ones(1):
        (sent,) = await payday.wire.send(bad)
    await payday.dead_letter(sent, "contribution", code)
    answered = [one.body["request"]["id"] for one in payday.wire.heard[topics.PAYROLL_RECEIPTS.name]]
    assert dict(bad.headers).get("ce_id", b"none") not in [one.encode() for one in answered]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        pytest.param(b"\xff\xfe\xfd", "MISSING_HEADERS", id="no UTF-8"),
        pytest.param(b"k" * 129, "PARTICIPANT_KEY_TOO_LONG", id="129 bytes"),
        pytest.param(b"k" * 100_000, "PARTICIPANT_KEY_TOO_LONG", id="100,000 bytes"),
        pytest.param(b"a\x00b", "WRONG_SHAPE", id="NUL"),
    ],
)
async def test_a_key_that_cannot_be_a_participant_is_a_dead_letter(payday: Payday, key: bytes, code: str) -> None:
    bad = events.line("whoever").but(key=key)
    partition = payday.wire.partition_of(bad)
    async with payday.between_good_ones(partition):
        (sent,) = await payday.wire.send(bad)
    await payday.dead_letter(sent, "contribution", code)


async def test_the_broker_refuses_what_is_larger_than_a_record_may_be(payday: Payday) -> None:
    async with payday.between_good_ones():
        with pytest.raises(MessageSizeTooLargeError):
            await payday.wire.send(events.line(payday.person()).but(value=os.urandom(RECORD_BYTES_MAX + 100)))


@pytest.mark.parametrize("strays", [False, True], ids=["at home", "in the wrong partition"])
async def test_noise_as_large_as_a_record_may_be_is_a_dead_letter(payday: Payday, strays: bool) -> None:
    bad = events.line(payday.person(2)).but(value=os.urandom(RECORD_BYTES_MAX - 600), partition=3 if strays else 2)
    async with payday.between_good_ones(2), payday.between_good_ones(3):
        (sent,) = await payday.wire.send(bad)
    await payday.dead_letter(sent, "contribution", "NOT_JSON")
    assert codes(await payday.wire.receipt(bad.ce_id)) == ["MALFORMED"]


# -- readable lines that are refused -------------------------------------------------------------------------------


async def refused(payday: Payday, bad: Outgoing, partition: int = 0) -> dict[str, object]:
    async with payday.between_good_ones(partition):
        await payday.wire.send(bad)
    return await payday.wire.receipt(bad.ce_id)


async def test_a_key_that_is_not_the_body_s_participant_rejects_the_line(payday: Payday) -> None:
    receipt = await refused(payday, events.line(payday.person()).but(body={"participant_id": "somebody-else"}))
    assert (receipt["status"], receipt["rejected_cents"], codes(receipt)) == ("rejected", 10_000, ["KEY_MISMATCH"])


async def test_a_line_under_somebody_else_s_key_leaves_his_year_alone(payday: Payday) -> None:
    ann, bob = payday.person(0), payday.person(1)
    mine = events.line(bob)
    await payday.wire.send(mine)
    await payday.wire.receipt(mine.ce_id)
    await refused(payday, events.line(ann).but(body={"participant_id": bob}))
    stranger = payday.person(1)
    await refused(payday, events.line(ann).but(body={"participant_id": stranger}))
    async with open_books(payday.wire.config) as books:
        rows = await books.contribution.rows(
            "SELECT participant_id, lane, regular_pre_tax FROM year_to_date WHERE participant_id = ANY($1::text[])",
            [bob, stranger],
        )
    assert [tuple(row) for row in rows] == [(bob, events.home(bob, PARTITIONS), 10_000)]


@pytest.mark.parametrize(
    ("amounts", "rejected"),
    [({"pre_tax": -1}, 0), ({"pre_tax": 500, "roth": -1}, 500), ({"nonsense": -(10**13)}, 0)],
)
async def test_a_negative_amount_rejects_the_line_with_its_code(
    payday: Payday, amounts: dict[str, int], rejected: int
) -> None:
    receipt = await refused(payday, events.line(payday.person(), amounts))
    assert (receipt["status"], receipt["rejected_cents"], codes(receipt)) == ("rejected", rejected, ["INVALID_AMOUNT"])


async def test_a_negative_part_cannot_hide_in_the_sum_of_a_source_that_is_named_twice(payday: Payday) -> None:
    amounts = [{"source": "pre_tax", "cents": 900}, {"source": "pre_tax", "cents": -400}]
    receipt = await refused(payday, events.line(payday.person()).but(body={"amounts": amounts}))
    assert (receipt["status"], receipt["accepted_cents"], codes(receipt)) == ("rejected", 0, ["INVALID_AMOUNT"])


async def test_a_source_named_twice_means_the_sum(payday: Payday) -> None:
    amounts = [{"source": "roth", "cents": 100}, {"source": "pre_tax", "cents": 5}, {"source": "roth", "cents": 11}]
    receipt = await refused(payday, events.line(payday.person()).but(body={"amounts": amounts}))
    assert (receipt["status"], receipt["accepted_cents"]) == ("accepted", 116)
    assert {one["source"]: one["cents"] for one in receipt["credited"]} == {"roth": 111, "pre_tax": 5}


async def test_an_unknown_source_and_one_the_plan_lacks_are_cut_alone(payday: Payday) -> None:
    amounts = {"pre_tax": 700, "pre-tax": 20, "after_tax": 3, "x" * 128: 1}
    receipt = await refused(payday, events.line(payday.person(), amounts))
    assert (receipt["status"], receipt["accepted_cents"], receipt["rejected_cents"]) == ("partially_accepted", 700, 24)
    cuts = {one["source"]: (one["code"], one["cents"]) for one in receipt["codes"]}
    assert cuts == {
        "pre-tax": ("UNKNOWN_SOURCE", 20), "after_tax": ("SOURCE_NOT_IN_PLAN", 3), "x" * 128: ("UNKNOWN_SOURCE", 1),
    }  # fmt: skip


async def test_misspelt_money_is_warned_of_and_a_million_bytes_of_it_still_get_an_answer_that_fits(
    payday: Payday,
) -> None:
    wrong = {f"amount_{os.urandom(40).hex()}": 1 for _ in range(10_000)}
    receipt = await refused(payday, events.line(payday.person(), **wrong))
    assert (receipt["status"], codes(receipt)) == ("accepted", ["MISSPELT_FIELD"])
    assert len(orjson.dumps(receipt)) < 10_000


async def test_a_resend_is_a_duplicate_and_another_body_under_the_same_id_a_mismatch(payday: Payday) -> None:
    first = events.line(payday.person())
    reordered = first.but(
        value=orjson.dumps(dict(reversed(orjson.loads(first.value or b"").items())), option=orjson.OPT_INDENT_2)
    )
    changed = first.but(value=(first.value or b"").replace(b'"cents":10000', b'"cents":10001'))
    async with payday.between_good_ones():
        await payday.wire.send(first, first, reordered, changed)
    answers = [await payday.wire.receipt(first.ce_id, number=number) for number in (1, 2, 3, 4)]
    assert [answer["status"] for answer in answers] == ["accepted", "duplicate", "duplicate", "rejected"]
    assert codes(answers[3]) == ["IDEMPOTENCY_MISMATCH"]
    assert [answer["credited"] for answer in answers] == [[{"source": "pre_tax", "cents": 10_000}]] * 3 + [[]]
    assert {answer["original_receipt_id"] for answer in answers[1:]} == {answers[1]["original_receipt_id"]}


async def test_a_resend_gets_all_of_the_first_decision_also_of_a_cut_line_and_of_a_reversal(payday: Payday) -> None:
    cut = events.line(payday.person(), {"pre_tax": 10_000, "cryptic": 5})
    back = events.reversal(cut, {"pre_tax": 4_000, "roth": 1})
    async with payday.between_good_ones():
        await payday.wire.send(cut, back)
        firsts = [await payday.wire.receipt(one.ce_id) for one in (cut, back)]
        await payday.wire.send(back, cut)
    again = [await payday.wire.receipt(one.ce_id, number=2) for one in (cut, back)]
    said = ("accepted_cents", "rejected_cents", "credited", "codes")
    assert [answer["status"] for answer in again] == ["duplicate", "duplicate"]
    assert [{name: one[name] for name in said} for one in again] == [
        {name: one[name] for name in said} for one in firsts
    ]
    assert [codes(one) for one in again] == [["UNKNOWN_SOURCE"], ["REVERSES_TOO_MUCH"]]
    assert again[1]["credited"] == [{"source": "pre_tax", "cents": -4_000}]


async def test_odd_headers_do_no_harm(payday: Payday) -> None:
    person = payday.person()
    odd = events.line(person)
    headers = [
        ("ce_id", b"an earlier value of a header that comes twice"), *odd.headers, ("größe", "ü".encode()), ("", b""),
        ("b3", b"\x00\x01\xff"), ("nothing", None), ("stream", b"contribution/0/x/0"), ("seq", b"7"), ("epoch", b"9"),
    ]  # fmt: skip
    receipt = await refused(payday, odd.but(headers=headers))
    assert (receipt["status"], receipt["request"]["id"]) == ("accepted", odd.ce_id)


@pytest.mark.parametrize(
    "trace",
    [b"\x00\x01", b"\xff\xfe", b"00-" + b"a" * 300_000, b"", None],
    ids=["NUL", "no UTF-8", "long", "empty", "null"],
)
async def test_a_trace_that_is_none_is_dropped_and_the_money_accepted(payday: Payday, trace: bytes | None) -> None:
    odd = events.line(payday.person())
    receipt = await refused(payday, odd.but(headers=[*odd.headers, ("traceparent", trace)]))
    assert (receipt["status"], receipt["accepted_cents"]) == ("accepted", 10_000)


# -- structured mode -----------------------------------------------------------------------------------------------


def structured(line: Outgoing, **envelope: object) -> Outgoing:
    """The same event with everything in the value."""
    headers = {name: value.decode() for name, value in line.headers}
    whole = {
        "specversion": "1.0", "id": headers["ce_id"], "source": headers["ce_source"], "type": headers["ce_type"],
        "datacontenttype": "application/json", "data": orjson.loads(line.value or b"null"),
    }  # fmt: skip
    content = ("content-type", b"application/cloudevents+json; charset=UTF-8")
    return line.but(value=orjson.dumps(whole | envelope), headers=[content])


async def test_a_line_in_structured_mode_is_accepted_and_is_the_same_as_in_binary_mode(payday: Payday) -> None:
    line = events.line(payday.person())
    async with payday.between_good_ones():
        await payday.wire.send(structured(line), line)
    assert (await payday.wire.receipt(line.ce_id))["status"] == "accepted"
    assert (await payday.wire.receipt(line.ce_id, number=2))["status"] == "duplicate"


@pytest.mark.parametrize("strays", [False, True], ids=["at home", "in the wrong partition"])
@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        ({"data": None}, "WRONG_SHAPE"),
        ({"data": {"plan_id": "\x00"}}, "WRONG_SHAPE"),
        ({"data": {"plan_id": 1}}, "WRONG_SHAPE"),
    ],
    ids=["no data", "NUL", "shape"],
)
async def test_a_broken_line_in_structured_mode_is_kept_as_it_came(
    payday: Payday, envelope: dict[str, object], code: str, strays: bool
) -> None:
    line = events.line(payday.person(1))
    async with payday.between_good_ones(1), payday.between_good_ones(2):
        (sent,) = await payday.wire.send(structured(line, **envelope).but(partition=2 if strays else 1))
    await payday.dead_letter(sent, "contribution", code)
    assert codes(await payday.wire.receipt(line.ce_id)) == ["MALFORMED"]


@pytest.mark.parametrize("value", [b"{", b"[]", b'"text"', b'{"id":1}', b"null", None])
async def test_a_structured_value_that_is_no_cloud_event_is_a_dead_letter(payday: Payday, value: bytes | None) -> None:
    bad = structured(events.line(payday.person(1))).but(value=value)
    async with payday.between_good_ones(1):
        (sent,) = await payday.wire.send(bad)
    await payday.dead_letter(sent, "contribution", "MISSING_HEADERS")


# -- the wrong partition -------------------------------------------------------------------------------------------


async def test_a_line_in_the_wrong_partition_is_answered_once_and_its_resends_are_duplicates(payday: Payday) -> None:
    line = events.line(payday.person(1))
    async with payday.between_good_ones(1):
        await payday.wire.send(*(line.but(partition=partition) for partition in range(PARTITIONS)))
    answers = [await payday.wire.receipt(line.ce_id, number=number) for number in (1, 2, 3, 4)]
    assert sorted(answer["status"] for answer in answers) == ["accepted", "duplicate", "duplicate", "duplicate"]


async def test_a_reversal_that_overtakes_its_line_waits_for_it_until_the_date_ends(payday: Payday) -> None:
    line, never = events.line(payday.person(1)), events.line(payday.person(1))
    unknown = events.line(payday.person(1), plan="NOBODYS")
    reversals = [events.reversal(one) for one in (line, never, unknown)]
    async with payday.between_good_ones(1):
        await payday.wire.send(*reversals)
        first = [await payday.wire.receipt(one.ce_id) for one in reversals]
        assert [(one["status"], codes(one)) for one in first] == [("held", ["WAITING_FOR_ITS_LINE"])] * 3
        # The lines come by the wrong partition, and so by the longer way; one of them is held itself.
        await payday.wire.send(line.but(partition=2), unknown.but(partition=2))
        taken = await payday.wire.receipt(reversals[0].ce_id, number=2)
        assert (taken["status"], taken["credited"]) == ("accepted", [{"source": "pre_tax", "cents": -10_000}])
        behind = await payday.wire.receipt(reversals[2].ce_id, number=2)
        assert (behind["status"], codes(behind)) == ("held", ["WAITING_FOR_EARLIER_LINE"])
    await payday.close_day()
    last = [
        await payday.wire.receipt(reversals[1].ce_id, number=2),
        await payday.wire.receipt(reversals[2].ce_id, number=3),
    ]
    assert [(one["status"], codes(one)) for one in last] == [("rejected", ["REVERSES_UNKNOWN"])] * 2


@pytest.mark.parametrize("case", ["not JSON", "10^30 cents", "10,000 sources", "a NUL in an id", "a tombstone"])
async def test_a_broken_line_in_the_wrong_partition_is_a_dead_letter_like_any_other(payday: Payday, case: str) -> None:
    how, letter_code, receipt_code = ANSWERED[case]
    bad = how(events.line(payday.person(1))).but(partition=3)
    async with payday.between_good_ones(1), payday.between_good_ones(3):
        (sent,) = await payday.wire.send(bad)
    await payday.dead_letter(sent, "contribution", letter_code)
    assert codes(await payday.wire.receipt(bad.ce_id)) == [receipt_code]


async def test_a_census_in_the_wrong_partition_makes_the_participant_known(payday: Payday) -> None:
    person = fresh("newcomer")
    home = events.home(person, PARTITIONS)
    line = events.line(person)
    async with payday.between_good_ones(home):
        await payday.wire.send(line, events.census(person).but(partition=(home + 1) % PARTITIONS))
    assert (await payday.wire.receipt(line.ce_id))["status"] == "held"
    assert (await payday.wire.receipt(line.ce_id, number=2))["status"] == "accepted"


# -- census --------------------------------------------------------------------------------------------------------

CENSUS: dict[str, tuple[Break, str]] = {
    "not JSON": (raw(b"nothing"), "NOT_JSON"),
    "a tombstone": (raw(None), "NOT_JSON"),
    "born on the 30th of February": (body(birth_date="1986-02-30"), "WRONG_SHAPE"),
    "never hired": (body(hire_date=None), "WRONG_SHAPE"),
    "wages in quotes": (body(prior_year_wages_cents="1"), "WRONG_SHAPE"),
    "wages beyond reason": (body(prior_year_wages_cents=10**14), "WRONG_SHAPE"),
    "a NUL": (body(plan_id="\x00"), "WRONG_SHAPE"),
    "another participant": (body(participant_id="somebody-else"), "KEY_MISMATCH"),
    "an unknown type": (typed(b"nestwork.participant.gossip.v1"), "UNKNOWN_EVENT_TYPE"),
    "a newer version": (typed(b"nestwork.participant.census.v9"), "NEWER_VERSION"),
    "no ce_id": (lambda record: record.without_header("ce_id"), "MISSING_HEADERS"),
}


@pytest.mark.parametrize("strays", [False, True], ids=["at home", "in the wrong partition"])
@pytest.mark.parametrize("case", CENSUS)
async def test_a_broken_census_is_a_dead_letter(payday: Payday, case: str, strays: bool) -> None:
    how, code = CENSUS[case]
    bad = how(events.census(payday.person(2))).but(partition=1 if strays else 2)
    async with payday.between_good_ones(2), payday.between_good_ones(1):
        (sent,) = await payday.wire.send(bad)
    await payday.dead_letter(sent, "contribution", code)


async def test_after_all_this_the_day_closes_proven_and_the_good_have_their_money(payday: Payday) -> None:
    await payday.close_day()
    await payday.everything_is_alive()
    await payday.the_good_have_their_money()
    letters = payday.wire.heard[f"{topics.PAYROLL_CONTRIBUTIONS.name}.dlq"]
    await asyncio.sleep(0)
    assert len({one.headers["ce_id"] for one in letters}) == len(letters)
