//! The values that each kind of field refuses. A field is empty, too long or wrong: for each of the three, the rule
//! says which values are refused, or why any value is accepted.

use super::value::Bad::{self, *};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict {
    /// INVALID_ARGUMENT with the field's path for each of these values.
    Refused(&'static [Bad]),
    /// Refused under the name of another field that it does not fit.
    Elsewhere(&'static str),
    /// Accepted, with the reason why that is right.
    Taken(#[expect(dead_code, reason = "named for the reader")] &'static str),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) empty: Verdict,
    pub(crate) long: Verdict,
    pub(crate) wrong: Verdict,
}

use Verdict::{Elsewhere, Refused, Taken};

const fn rule(empty: Verdict, long: Verdict, wrong: Verdict) -> Rule {
    Rule { empty, long, wrong }
}

const EMPTY_TEXT: Verdict = Refused(&[Text("")]);
const UNFILTERED: Verdict = Taken("empty matches everything");
const OPTIONAL: Verdict = Taken("it need not be given");

const NO_WRONG_BYTES: Verdict = Taken("every byte string is a valid value");

const NOT_IDS: Verdict =
    Refused(&[Text("a b"), Text("a\0b"), Text("é"), Text("../x"), Text("a/b"), Text("\n")]);
const LONG_ID: Verdict = Refused(&[Chars('a', 65), Chars('a', 100_000)]);
pub(crate) const ID: Rule = rule(EMPTY_TEXT, LONG_ID, NOT_IDS);
pub(crate) const ID_FILTER: Rule = rule(UNFILTERED, LONG_ID, NOT_IDS);

const NOT_PLAIN: Verdict = Refused(&[Text("a\0b"), Text("a\nb"), Text("\u{7f}"), Text("\u{85}")]);
const LONG_TEXT: Verdict = Refused(&[Chars('x', 201), Chars('é', 201)]);
pub(crate) const TEXT: Rule = rule(Refused(&[Text(""), Text(" "), Text("\u{3000}")]), LONG_TEXT, NOT_PLAIN);
pub(crate) const TEXT_FILTER: Rule = rule(UNFILTERED, LONG_TEXT, NOT_PLAIN);
pub(crate) const OPTIONAL_TEXT: Rule = rule(OPTIONAL, LONG_TEXT, NOT_PLAIN);
const LONG_TARGET: Verdict = Refused(&[Chars('x', 301)]);
pub(crate) const TARGET_FILTER: Rule = rule(UNFILTERED, LONG_TARGET, NOT_PLAIN);
pub(crate) const OPTIONAL_TARGET: Rule = rule(OPTIONAL, LONG_TARGET, NOT_PLAIN);

const NOT_NAMES: Verdict =
    Refused(&[Text("OpenAI"), Text("-x"), Text("a b"), Text("é"), Text("a\0"), Text("a/b"), Text("a\n")]);
const LONG_NAME: Verdict = Refused(&[Chars('p', 64)]);
pub(crate) const PROVIDER: Rule = rule(EMPTY_TEXT, LONG_NAME, NOT_NAMES);
pub(crate) const PROVIDER_FILTER: Rule = rule(UNFILTERED, LONG_NAME, NOT_NAMES);
pub(crate) const OPTIONAL_PROVIDER: Rule = rule(OPTIONAL, LONG_NAME, NOT_NAMES);

const NOT_KINDS: Verdict = Refused(&[Text("9lives"), Text("a-b"), Text("End"), Text("a b"), Text("a\0")]);
pub(crate) const KIND: Rule = rule(EMPTY_TEXT, LONG_NAME, NOT_KINDS);
pub(crate) const KIND_FILTER: Rule = rule(UNFILTERED, LONG_NAME, NOT_KINDS);
pub(crate) const KIND_SELECTOR: Rule =
    rule(EMPTY_TEXT, LONG_NAME, Refused(&[Text("**"), Text("e*d"), Text("9*"), Text("a\0*")]));

const NOT_KEYS: Verdict =
    Refused(&[Text("Key"), Text("9a"), Text("a-"), Text("a_b"), Text("a b"), Text("a\0"), Text("é")]);
pub(crate) const KEY_ID: Rule = rule(EMPTY_TEXT, LONG_NAME, NOT_KEYS);
pub(crate) const KEY_ID_FILTER: Rule = rule(UNFILTERED, LONG_NAME, NOT_KEYS);

pub(crate) const KID: Rule = rule(
    EMPTY_TEXT,
    Refused(&[Chars('0', 17)]),
    Refused(&[
        Text("0123456789abcde"),
        Text("0123456789ABCDEF"),
        Text("0123456789abcde\0"),
        Text("é123456789abcd"),
    ]),
);

const NOT_EVENTS: Verdict = Refused(&[
    Text("credential.created"),
    Text("backup."),
    Text("backup.Made"),
    Text("backup.a b"),
    Text("backup.\0"),
]);
/// An event that a service can record.
pub(crate) const SERVICE_EVENT: Rule = rule(EMPTY_TEXT, Refused(&[After("backup.", 'a', 94)]), NOT_EVENTS);
pub(crate) const EVENT_FILTER: Rule = rule(
    UNFILTERED,
    Refused(&[Chars('a', 101)]),
    Refused(&[Text("*.created"), Text("a**"), Text("Backup.*"), Text("a b"), Text("a\0*")]),
);

pub(crate) const ETAG: Rule = rule(
    Taken("without one nothing is compared"),
    Refused(&[Chars('1', 300), Text("\"99999999999999999999\"")]),
    Refused(&[Text("7"), Text("\"x\""), Text("\""), Text("\"\""), Text("\"1\0\"")]),
);
pub(crate) const REQUEST_ID: Rule = rule(
    Taken("without one each call is a request of its own"),
    Refused(&[Chars('0', 300)]),
    Refused(&[Text("1"), Text("not-a-uuid"), Text("01a2b3c4-0000-7000-8000-00000000000g"), Text("\0")]),
);
pub(crate) const TRACE_ID: Rule = rule(
    OPTIONAL,
    Refused(&[Chars('0', 33)]),
    Refused(&[
        Text("0"),
        Text("0123456789ABCDEF0123456789ABCDEF"),
        Text("0123456789abcdef0123456789abcde\0"),
    ]),
);
pub(crate) const ROLE: Rule =
    rule(EMPTY_TEXT, Refused(&[Chars('a', 100_000)]), Refused(&[Text("Admin"), Text("root"), Text("a\0")]));
pub(crate) const BOUND_SERVICE: Rule =
    rule(OPTIONAL, Refused(&[Chars('a', 100_000)]), Refused(&[Text("Vault"), Text("both"), Text("vault\0")]));
pub(crate) const COLUMN: Rule = rule(
    EMPTY_TEXT,
    Refused(&[After("t.", 'c', 199)]),
    Refused(&[Text("table"), Text(".column"), Text("table."), Text("t.c\0")]),
);
pub(crate) const OPTIONAL_COLUMN: Rule = rule(
    OPTIONAL,
    Refused(&[After("t.", 'c', 199)]),
    Refused(&[Text("table"), Text(".column"), Text("table."), Text("t.c\0")]),
);
pub(crate) const VIA: Rule = rule(
    Elsewhere("credential_id"),
    Refused(&[After("endpoint/", 'x', 201), After("", '/', 300)]),
    Refused(&[Text("endpoint"), Text("/x"), Text("endpoint/"), Text("End/x"), Text("endpoint/\0")]),
);

pub(crate) const SECRET: Rule = rule(Refused(&[Unset]), Refused(&[Bytes(65_537)]), NO_WRONG_BYTES);
pub(crate) const PLAINTEXT: Rule =
    rule(Taken("an empty plaintext can be sealed too"), Refused(&[Bytes(65_537)]), NO_WRONG_BYTES);
/// Additional data that is not the value's own opens nothing.
pub(crate) const AAD: Rule = rule(Elsewhere("ciphertext"), Refused(&[Bytes(1025)]), Elsewhere("ciphertext"));
pub(crate) const NEW_AAD: Rule = rule(OPTIONAL, Refused(&[Bytes(1025)]), NO_WRONG_BYTES);
pub(crate) const MANIFEST: Rule =
    rule(Refused(&[Unset]), Refused(&[Bytes((4 << 20) + 1)]), Taken("what is signed is its digest"));
pub(crate) const MANIFEST_DIGEST: Rule =
    rule(Elsewhere("manifest"), Refused(&[Bytes(33), Bytes(64)]), Refused(&[Bytes(1), Bytes(31)]));
pub(crate) const DIGEST: Rule =
    rule(Refused(&[Unset]), Refused(&[Bytes(33), Bytes(64)]), Refused(&[Bytes(1), Bytes(31)]));
pub(crate) const FILE_KEY: Rule =
    rule(Refused(&[Unset]), Refused(&[Bytes(17), Bytes(100_000)]), Refused(&[Bytes(1), Bytes(15)]));
pub(crate) const WRAPPED: Rule = rule(
    Refused(&[Unset]),
    Refused(&[Bytes(1025), Bytes(100_000)]),
    Taken("the stanza before it opens, and one is enough"),
);
pub(crate) const CIPHERTEXT: Rule = rule(
    EMPTY_TEXT,
    Refused(&[Chars('x', 90_113)]),
    Refused(&[
        Text("hello"),
        Text("srv1"),
        Text("srv1..AAAA"),
        Text("srv1.0000000000000000.AAAA"),
        Text("\0"),
    ]),
);
pub(crate) const INTROSPECT_HASH: Rule = rule(
    Taken("empty asks about nobody"),
    Refused(&[Bytes(33), Bytes(100_000)]),
    Refused(&[Bytes(1), Bytes(31)]),
);
pub(crate) const DELEGATION: Rule = rule(
    Refused(&[Unset]),
    Refused(&[Bytes(4097), Bytes(100_000)]),
    Refused(&[Bytes(1), Bytes(32), Bytes(33), Bytes(200)]),
);
const NOT_DELEGATED: Verdict = Taken("nobody delegated it, and that is the answer");
pub(crate) const DELEGATED: Rule = rule(NOT_DELEGATED, NOT_DELEGATED, NOT_DELEGATED);

const NOT_TIMES: Verdict = Refused(&[Seconds(0, -1), Seconds(0, 1_000_000_000), Seconds(0, i32::MIN)]);
const FAR: Verdict = Refused(&[Seconds(253_402_300_800, 0), Seconds(i64::MAX, 0), Seconds(i64::MIN, 0)]);
pub(crate) const TIME: Rule = rule(OPTIONAL, FAR, NOT_TIMES);
const NOT_EXPIRIES: Verdict =
    Refused(&[Seconds(0, 0), Seconds(1_700_000_000, 0), Seconds(0, -1), Seconds(-62_135_596_800, 0)]);
pub(crate) const EXPIRY: Rule = rule(OPTIONAL, FAR, NOT_EXPIRIES);
/// A time that is not in the future.
pub(crate) const COUNT_TIME: Rule = rule(
    Taken("unset means now"),
    FAR,
    Refused(&[Seconds(0, -1), Seconds(0, 1_000_000_000), Seconds(253_402_300_799, 0)]),
);
pub(crate) const PRUNE_BEFORE: Rule =
    rule(Refused(&[Unset]), FAR, Refused(&[Seconds(0, -1), Seconds(253_402_300_799, 0)]));
pub(crate) const GRACE: Rule = rule(
    Taken("unset means an hour"),
    Refused(&[Seconds(2_592_001, 0), Seconds(2_592_000, 1), Seconds(i64::MAX, 0)]),
    Refused(&[Seconds(-1, 0), Seconds(0, -1), Seconds(1, 1_000_000_000), Seconds(i64::MIN, i32::MIN)]),
);
pub(crate) const DESTROY_AFTER: Rule = rule(
    Taken("unset means seven days"),
    Refused(&[Seconds(315_360_001, 0), Seconds(i64::MAX, 0)]),
    Refused(&[
        Seconds(0, 0),
        Seconds(3599, 999_999_999),
        Seconds(-1, 0),
        Seconds(7200, -1),
        Seconds(i64::MIN, 0),
    ]),
);

pub(crate) const PAGE_SIZE: Rule = rule(
    Taken("0 means 50"),
    Taken("more than 1,000 is taken as 1,000"),
    Refused(&[Int(-1), Int(i32::MIN as i64)]),
);
pub(crate) const PAGE_TOKEN: Rule = rule(
    Taken("empty asks for the first page"),
    Refused(&[Chars('x', 100_000)]),
    Refused(&[Text("1"), Text("\0"), Text("srv1.0000000000000000.AAAA")]),
);
pub(crate) const ROWS_PER_SECOND: Rule = rule(
    Taken("0 means no limit"),
    Taken("any number is a limit"),
    Refused(&[Int(-1), Int(i32::MIN as i64)]),
);
pub(crate) const ANCHOR_SEQUENCE: Rule = rule(
    Refused(&[Int(0)]),
    Taken("a head that the log does not reach is a finding, not a mistake"),
    Refused(&[Int(-1), Int(i64::MIN)]),
);
pub(crate) const ANCHOR_MAC: Rule = rule(
    EMPTY_TEXT,
    Refused(&[Chars('0', 66), Chars('0', 100_000)]),
    Refused(&[Text("00"), Text("xx"), Text("\0"), Chars('0', 63)]),
);
pub(crate) const OUTCOME: Rule = rule(Refused(&[Unset]), Refused(&[Int(99)]), Refused(&[Int(-1), Int(6)]));
pub(crate) const MODE: Rule = rule(Refused(&[Unset]), Refused(&[Int(99)]), Refused(&[Int(-1), Int(4)]));
pub(crate) const TARGET: Rule = rule(EMPTY_TEXT, LONG_TARGET, NOT_PLAIN);
pub(crate) const REVIVED: Rule = rule(OPTIONAL, Refused(&[Times(10_001)]), BY_ELEMENT);
pub(crate) const ANY_NUMBER: Rule = taken("it is only recorded as given, and nothing is computed with it");
pub(crate) const AFTER_SEQUENCE: Rule = rule(
    Taken("0 is before the first event"),
    Taken("what has not happened yet is waited for"),
    Taken("negative means from now on"),
);

pub(crate) const LABELS: Rule = rule(
    OPTIONAL,
    Refused(&[Entries(65), Entry('a', 64, 1), Entry('a', 1, 201)]),
    Refused(&[
        Pair("", "x"),
        Pair("Team", "x"),
        Pair("team-", "x"),
        Pair("a\0", "x"),
        Pair("a", "x\0"),
        Pair("a", "\n"),
    ]),
);
pub(crate) const METADATA: Rule = rule(
    OPTIONAL,
    Refused(&[Entry('1', 1, 16 * 1024), Entry('1', 16 * 1024, 1)]),
    Refused(&[Pair("a", ""), Pair("a", "not json"), Pair("a", "{"), Pair("a", "1e999"), Pair("a", "\0")]),
);
pub(crate) const CENSUS: Rule = rule(
    Taken("a column may hold nothing"),
    Refused(&[Entries(10_000), Entry('0', 100_000, 1)]),
    Refused(&[Pair("", "1"), Pair("x", "1"), Pair("0123456789abcdef", "1"), Pair("0123456789abcdef", "-1")]),
);

const BY_ELEMENT: Verdict = Taken("its elements have a row of their own");
pub(crate) const ITEMS: Rule = rule(Refused(&[Unset]), Refused(&[Times(1001)]), BY_ELEMENT);
pub(crate) const STANZAS: Rule = rule(Refused(&[Unset]), Refused(&[Times(9)]), BY_ELEMENT);
pub(crate) const CHECKED_ITEMS: Rule =
    rule(Taken("a message without any gets none back"), Refused(&[Times(1001), Times(60_000)]), BY_ELEMENT);
pub(crate) const SELECTORS: Rule =
    rule(Taken("without selectors the token reaches everything"), Refused(&[Times(33)]), BY_ELEMENT);
pub(crate) const SELECTOR: Rule = rule(
    Refused(&[Unset]),
    Taken("its length is that of the field that it holds, which has a row of its own"),
    Taken("each sort of selector has a row of its own"),
);
pub(crate) const LABEL_SELECTOR: Rule = rule(
    EMPTY_TEXT,
    Refused(&[After("env=", 'x', 201), After("", 'a', 100_000)]),
    Refused(&[Text("env"), Text("=x"), Text("Env=x"), Text("env=\0"), Text("e v=x")]),
);
pub(crate) const FALLBACKS: Rule = rule(OPTIONAL, Refused(&[Times(9)]), Refused(&[Times(2)]));
const LONG_RING: Verdict = Refused(&[Bytes((3 << 20) + 1)]);
const NO_RING: Verdict = Refused(&[Bytes(1)]);
/// A message that can be omitted, and whose fields have their own rules.
pub(crate) const OPTIONAL_PART: Rule =
    rule(OPTIONAL, Taken("its fields are bounded"), Taken("its fields are refused"));
const NO_STAGE: Verdict = Taken("it is compared with that of the stage, and there is none");
pub(crate) const GRANT: Rule = rule(NO_STAGE, NO_STAGE, NO_STAGE);
pub(crate) const RING: Rule = rule(Refused(&[Unset]), LONG_RING, NO_RING);
pub(crate) const OPTIONAL_RING: Rule = rule(OPTIONAL, LONG_RING, NO_RING);
pub(crate) const KIDS: Rule =
    rule(Taken("an archive may need no version"), Refused(&[Times(10_001)]), BY_ELEMENT);
pub(crate) const CERTIFICATE_NAMES: Rule = rule(Refused(&[Unset]), Refused(&[Times(101)]), BY_ELEMENT);
pub(crate) const CERTIFICATE_NAME: Rule = rule(
    EMPTY_TEXT,
    Refused(&[Chars('a', 2049), Chars('é', 1025)]),
    Taken("a certificate may have any name; one that is not configured stands for nobody"),
);
pub(crate) const NAMES: Rule = rule(
    Taken("empty `tables` mean all tables, and empty `groups` mean no optional group"),
    Taken("a name given twice counts once"),
    BY_ELEMENT,
);
pub(crate) const NAME: Rule = rule(
    EMPTY_TEXT,
    Refused(&[Chars('a', 100_000)]),
    Refused(&[Text("nothing"), Text("audit\0"), Text("Credentials"), Text("keys")]),
);
pub(crate) const MASK: Rule = rule(
    Taken("unset means what is populated"),
    Refused(&[Paths(&["display_name", "labels", "expire_time", "etag"])]),
    Refused(&[
        Paths(&[""]),
        Paths(&["provider"]),
        Paths(&["nothing"]),
        Paths(&["display_name", "secret"]),
        Paths(&["*.x"]),
    ]),
);
/// A message that must be given.
pub(crate) const GIVEN: Rule = rule(
    Refused(&[Unset]),
    Taken("its fields have rows of their own"),
    Taken("its fields have rows of their own"),
);
const fn taken(reason: &'static str) -> Rule {
    rule(Taken(reason), Taken(reason), Taken(reason))
}
pub(crate) const FLAG: Rule = taken("both values mean something");
pub(crate) const SET_BY_VAULT: Rule = taken("the vault sets it and does not look at what is sent");
