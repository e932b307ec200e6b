//! What is said when a struct cannot be read, at which place; and that all of it is said at once.

use crate::{
    Bytes, Document, Period, Placed, Share,
    golden_test::{Nothing, each_says, told},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Debug};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Compression {
    None,
    Gzip,
    Zstd,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "read, and only its faults are looked at")]
enum Notify {
    Console,
    Webhook(String),
}

#[derive(Debug, Deserialize)]
struct Close {
    after_root: Option<Period>,
    idle: Option<Period>,
}

#[derive(Debug, Deserialize)]
struct Tls {
    #[serde(default)]
    insecure: bool,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read, and only its faults are looked at")]
struct Rule {
    name: String,
    when: Option<Placed<String>>,
    keep: Share,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read, and only its faults are looked at")]
struct Part {
    endpoint: String,
    listen: Option<String>,
    port: Option<u16>,
    limit: Option<Bytes>,
    close: Option<Close>,
    compression: Option<Compression>,
    brokers: Option<Vec<String>>,
    headers: Option<BTreeMap<String, String>>,
    rules: Option<Vec<Rule>>,
    when: Option<Placed<String>>,
    tls: Option<Tls>,
    notify: Option<Notify>,
    ratio: Option<f64>,
}

fn read<T: DeserializeOwned>(yaml: &str) -> Result<T, Vec<String>> {
    let document = Document::parse("p.yaml", yaml, &Nothing).unwrap();
    crate::read(&document.root).map_err(|faults| told(yaml, &faults))
}

fn faults<T: DeserializeOwned + Debug>(yaml: &str) -> Vec<String> {
    read::<T>(yaml).unwrap_err()
}

#[test]
fn every_mistake_has_its_text_and_place() {
    let cases = [
        (
            "idl: 5s",
            "2:1 unknown key `idl` = one of: endpoint, listen, port, limit, close, compression, brokers, headers, rules, when, tls, notify, ratio",
        ),
        ("close: { idl: 5s }", "2:10 unknown key `idl` = did you mean `idle`?"),
        ("condition: .error", "2:1 unknown key `condition` = it is called `when` here"),
        ("bootstrap_servers: x", "2:1 unknown key `bootstrap_servers` = it is called `brokers` here"),
        ("close: { idle: 5 }", "2:16 `idle: 5` needs a unit; did you mean `5s`?"),
        ("limit: 256Mi", "2:8 `limit: 256Mi` has an unknown unit; did you mean `256MiB`?"),
        ("rules: [{ name: a, keep: 10 }]", "2:26 `keep: 10` needs a unit; did you mean `10%`?"),
        ("rules: [{ name: a }]", "2:9 `keep` is missing"),
        ("rules: [{ name: a, when:, keep: 1% }]", "2:20 `when` is empty = write a condition, such as `when: .error`, or leave `when` out"),
        (
            "rules: [{ name: a, when: '', keep: 1% }]",
            "2:26 `when` is empty = write a condition, such as `when: .error`, or leave `when` out",
        ),
        ("when: null", "2:7 `when` is empty = write a condition, such as `when: .error`, or leave `when` out"),
        ("brokers: kafka:9092", "2:10 expected a list, found text = write it as a list: `brokers: [kafka:9092]`"),
        ("close: 5s", "2:8 expected a map, found text"),
        ("compression: gzp", "2:14 unknown word `gzp` = did you mean `gzip`?"),
        ("compression: lz4", "2:14 unknown word `lz4` = one of: none, gzip, zstd"),
        ("compression: [gzip]", "2:14 expected a word, found a list"),
        ("port: 70000", "2:7 `port: 70000` is out of range; a whole number from 0 to 65535 is expected"),
        ("port: -1", "2:7 `port: -1` is out of range; a whole number from 0 to 65535 is expected"),
        ("port: '4317'", "2:7 expected a whole number, found text = write it without quotes: `4317`"),
        ("port: http", "2:7 expected a whole number, found text"),
        ("ratio: inf", "2:8 expected a number, found text"),
        ("tls: { insecure: yes }", "2:18 expected `true` or `false`, found text = write `true`"),
        ("headers: { a: [b] }", "2:15 expected text, found a list"),
        ("brokers: [a, { b: c }]", "2:14 expected text, found a map"),
        ("notify: { webhook: a, console: b }", "2:9 expected one key of console, webhook, found 2"),
        ("notify: { webhok: a }", "2:11 unknown word `webhok` = did you mean `webhook`?"),
        ("notify: { webhook: [a] }", "2:20 expected text, found a list"),
        ("headers:", "2:1 `headers` is empty = write a value, or leave `headers` out"),
        ("when: ${env:NONE}", "2:7 the environment variable `NONE` is not set = set it, or give a default: `${env:NONE:-…}`"),
    ];
    each_says(&cases, |line| faults::<Part>(&format!("endpoint: http://x\n{line}")));
}

#[test]
fn an_empty_struct_is_a_struct() {
    assert!(!read::<Part>("endpoint: x\ntls:").unwrap().tls.unwrap().insecure);
    assert_eq!(faults::<Part>(""), ["1:1 `endpoint` is missing"]);
    assert_eq!(faults::<Part>("[a]"), ["1:1 expected a map, found a list"]);
}

#[test]
fn values_are_read_as_they_are_written() {
    let part: Part = read(
        "endpoint: 007\nport: 4317\nlimit: 4GiB\nclose: { idle: 6s, after_root: 1h30m }\ncompression: zstd\nheaders: { a: 1.10, b: true }\nratio: 1\n",
    )
    .unwrap();
    assert_eq!(part.endpoint, "007");
    assert_eq!(part.port, Some(4317));
    assert_eq!(part.limit, Some(Bytes(4 << 30)));
    assert_eq!(part.close.as_ref().unwrap().idle, Some(Period::parse("6s").unwrap()));
    assert_eq!(part.close.unwrap().after_root, Some(Period::parse("90m").unwrap()));
    assert_eq!(part.compression, Some(Compression::Zstd));
    assert_eq!(part.headers.unwrap()["a"], "1.10");
    assert_eq!(part.ratio, Some(1.0));
}

#[test]
fn a_number_can_come_from_the_environment_even_in_quotes() {
    struct Port;
    impl crate::Environment for Port {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "PORT").then(|| "4317".to_owned())
        }
        fn file(&self, _: &str) -> Result<String, String> {
            Err("no".to_owned())
        }
    }
    let document = Document::parse("p.yaml", "{ endpoint: x, port: \"${env:PORT}\" }", &Port).unwrap();
    assert_eq!(document.read::<Part>().unwrap().port, Some(4317));
}

#[test]
fn a_secret_is_not_told() {
    struct Secret;
    impl crate::Environment for Secret {
        fn variable(&self, _: &str) -> Option<String> {
            Some("hunter2".to_owned())
        }
        fn file(&self, _: &str) -> Result<String, String> {
            Err("no".to_owned())
        }
    }
    let yaml = "endpoint: x\nlimit: ${env:A}\ncompression: ${env:A}\nclose: { idle: '${env:A}' }";
    let document = Document::parse("p.yaml", yaml, &Secret).unwrap();
    let faults = told(yaml, &document.read::<Part>().unwrap_err());
    assert_eq!(faults.len(), 3);
    assert!(faults.iter().all(|fault| !fault.contains("hunter2") && fault.contains("${env:A}")), "{faults:?}");
}

#[test]
fn nine_mistakes_are_found_in_one_call() {
    let yaml = "\
brokers: kafka:9092
prot: 1
close: { idle: 5, after_roto: 1s }
rules:
  - { name: a, when: !exists(.x), keep: 10% }
  - { name: b, keep: 10 }
  - { keep: 1% }
compression: snappy
port: 99999
";
    assert_eq!(
        faults::<Part>(yaml),
        [
            "1:1 `endpoint` is missing",
            "1:10 expected a list, found text = write it as a list: `brokers: [kafka:9092]`",
            "2:1 unknown key `prot` = did you mean `port`?",
            "3:16 `idle: 5` needs a unit; did you mean `5s`?",
            "3:19 unknown key `after_roto` = did you mean `after_root`?",
            "5:22 `!` starts a YAML tag, so this condition is empty; quote it: when: '!exists(.x)'",
            "6:22 `keep: 10` needs a unit; did you mean `10%`?",
            "7:5 `name` is missing",
            "8:14 unknown word `snappy` = one of: none, gzip, zstd",
            "9:7 `port: 99999` is out of range; a whole number from 0 to 65535 is expected",
        ]
    );
}

/// As `expression::Conditions` does it.
#[derive(Debug)]
enum Forms {
    One(String),
    Any(Vec<Placed<String>>),
    Each(BTreeMap<String, Placed<String>>),
}

impl<'de> Deserialize<'de> for Forms {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> serde::de::Visitor<'de> for Take {
            type Value = Forms;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a condition, a list or a map of them")
            }
            fn visit_str<E>(self, text: &str) -> Result<Forms, E> {
                Ok(Forms::One(text.to_owned()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, list: A) -> Result<Forms, A::Error> {
                Vec::deserialize(serde::de::value::SeqAccessDeserializer::new(list)).map(Forms::Any)
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Forms, A::Error> {
                let mut each = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "span" {
                        return Err(serde::de::Error::custom("`span` is none of `spans`, `logs`"));
                    }
                    each.insert(key, map.next_value()?);
                }
                Ok(Forms::Each(each))
            }
        }
        from.deserialize_any(Take)
    }
}

#[derive(Debug, Deserialize)]
struct Filter {
    drop: Placed<Forms>,
}

#[test]
fn a_hand_written_reader_of_several_forms_keeps_places() {
    let filter: Filter = read("drop: '.a && .b'").unwrap();
    let one = filter.drop.map(|forms| match forms {
        Forms::One(text) => text,
        other => panic!("{other:?}"),
    });
    assert_eq!(one.fault_in(3..5, "").place, crate::Place { start: 10, end: 12 });
    assert!(
        matches!(read::<Filter>("drop: [.a, .b]").unwrap().drop.into_inner(), Forms::Any(list) if list.len() == 2 && list[1].place().start == 11)
    );
    assert!(
        matches!(read::<Filter>("drop: { spans: .a }").unwrap().drop.into_inner(), Forms::Each(map) if map["spans"].place().start == 15)
    );
    assert_eq!(faults::<Filter>("drop:"), ["1:1 `drop` is empty = write a condition, such as `drop: .error`, or leave `drop` out"]);
    assert_eq!(faults::<Filter>("drop: [.a, '']"), ["1:12 this is empty"]);
    assert_eq!(
        faults::<Filter>("drop: { spans: .a, span: .b, logs: }"),
        ["1:20 `span` is none of `spans`, `logs`", "1:30 `logs` is empty = write a value, or leave `logs` out"]
    );
    assert_eq!(faults::<Filter>("drop: 5"), ["1:7 expected a condition, a list or a map of them, found a number"]);
}
