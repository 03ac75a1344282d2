//! Tables of Lua that serde reads by way of a buffer, lists with nils, and what else Lua writes otherwise than Rust does.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use skynet_service::lua::{LightUserdata, LuaString, Table, Value, Values, pack, unpack};

/// Out and back, as a value of its own, behind another one, and within a table.
#[track_caller]
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let packed = pack(value).unwrap();
    assert_eq!(unpack::<T>(&packed).as_ref(), Ok(value), "{packed:02x?}");
    assert_eq!(Values::new(&packed).next::<T>().as_ref(), Ok(value));
    let (_, back): (i64, T) = unpack(&pack(&(1, value)).unwrap()).unwrap();
    assert_eq!(&back, value);
    let within = pack(&BTreeMap::from([("one", [[value]])])).unwrap();
    let back: BTreeMap<String, Vec<(T,)>> = unpack(&within).unwrap();
    assert_eq!(&back["one"][0].0, value);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Order {
    Use {
        items: Vec<u32>,
    },
    Mark {
        names: HashMap<String, u8>,
    },
    Both {
        items: Vec<Item>,
        scores: BTreeMap<i64, bool>,
        limits: Limits,
        note: Option<String>,
    },
    Any {
        value: Value,
        pointer: LightUserdata,
    },
    End,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Limits {
    least: Option<u8>,
    most: Option<u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Item {
    id: u32,
    places: Vec<u8>,
    #[serde(flatten)]
    more: BTreeMap<String, Vec<i64>>,
}

fn item(places: &[u8], tags: &[i64]) -> Item {
    Item {
        id: 7,
        places: places.to_vec(),
        more: BTreeMap::from([("tags".to_string(), tags.to_vec())]),
    }
}

#[test]
#[cfg_attr(miri, ignore = "minutes, and nothing unsafe")]
fn a_tagged_type_gets_lists_and_maps_that_are_empty() {
    comes_back(&Order::Use { items: vec![] });
    comes_back(&Order::Use { items: vec![5, 6] });
    comes_back(&Order::Mark {
        names: HashMap::new(),
    });
    comes_back(&Order::End);
    // Both in one message, and maps whose keys are those of a list.
    let scores = [
        BTreeMap::new(),
        BTreeMap::from([(1, true), (2, false)]),
        BTreeMap::from([(1, true), (7, false)]),
    ];
    for scores in scores {
        comes_back(&Order::Both {
            items: vec![item(&[], &[]), item(&[1], &[]), item(&[], &[2])],
            scores,
            limits: Limits::default(),
            note: None,
        });
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(i64),
    List { list: Vec<String> },
    Named { name: String, rest: Vec<Limits> },
    Pair(Vec<i64>, Option<Box<Either>>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "what")]
enum Adjacent {
    List(Vec<u8>),
    Map(BTreeMap<String, u8>),
    Perhaps(Option<u8>),
    Two(Vec<u8>, Vec<u8>),
}

#[test]
#[cfg_attr(miri, ignore = "minutes, and nothing unsafe")]
fn so_do_types_without_a_tag_and_with_what_they_are_beside_it() {
    comes_back(&Either::Number(5));
    comes_back(&Either::List { list: vec![] });
    let rest = vec![Limits::default(), Limits::default()];
    let name = String::new();
    comes_back(&Either::Named { name, rest });
    let inner = Some(Box::new(Either::List { list: vec![] }));
    let pair = (Either::Pair(vec![], inner),);
    assert_eq!(unpack(&pack(&(&pair,)).unwrap()), Ok((pair,)));

    comes_back(&Adjacent::List(vec![]));
    comes_back(&Adjacent::Map(BTreeMap::new()));
    comes_back(&Adjacent::Perhaps(None));
    comes_back(&Adjacent::Two(vec![], vec![]));
    // The content comes before the tag, and is kept until that is there.
    let list: BTreeMap<&str, Value> = BTreeMap::from([
        ("a", Value::Table(Table::default())),
        ("kind", "List".into()),
        ("what", Value::Table(Table::default())),
    ]);
    let turned: Vec<_> = list.into_iter().rev().collect();
    let pairs = turned.into_iter().map(|(key, value)| (key.into(), value));
    let table = Table {
        array: vec![],
        pairs: pairs.collect(),
    };
    let packed = pack(&table).unwrap();
    assert_eq!(unpack(&packed), Ok(Adjacent::List(vec![])));
}

#[test]
#[cfg_attr(miri, ignore = "minutes, and nothing unsafe")]
fn what_fits_no_reading_says_what_was_wrong_with_the_first() {
    let order = BTreeMap::from([("type", Value::from("Use")), ("items", 5.into())]);
    let error = unpack::<Order>(&pack(&order).unwrap()).unwrap_err();
    assert!(error.to_string().contains("expected a sequence"), "{error}");
    // More ambiguous fields than are tried, and none that fits.
    let empty = || Value::Table(Table::default());
    let names: Vec<String> = (0..20).map(|number| format!("field{number}")).collect();
    let mut order: BTreeMap<&str, Value> = names.iter().map(|name| (&**name, empty())).collect();
    order.insert("type", "Use".into());
    order.insert("items", true.into());
    let error = unpack::<Order>(&pack(&order).unwrap()).unwrap_err();
    assert!(error.to_string().contains("expected a sequence"), "{error}");
    order.insert("items", empty());
    let fits = unpack::<Order>(&pack(&order).unwrap());
    assert_eq!(fits, Ok(Order::Use { items: vec![] }));
}

#[test]
fn values_keep_what_they_are_in_a_buffer() {
    let values = [
        Value::Nil,
        5.into(),
        0.5.into(),
        Value::String(LuaString(vec![255])),
        Value::Table(Table {
            array: vec![1.into(), Value::Nil, 3.into()],
            pairs: vec![("name".into(), true.into())],
        }),
    ];
    for value in values {
        let pointer = LightUserdata(usize::MAX);
        comes_back(&Order::Any { value, pointer });
    }
}

/// A table as Lua has packed it: the items that `#` counts, then pairs.
fn table(array: &[i64], pairs: &[(i64, i64)]) -> Vec<u8> {
    let table = Table {
        array: array.iter().map(|item| (*item).into()).collect(),
        pairs: pairs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
    };
    pack(&table).unwrap().to_vec()
}

#[test]
fn a_nil_within_a_list_is_none() {
    // {1, nil, 3}, of which Lua 5.5 says that its length is 1; and as it is packed of a length of 3.
    let holes = [
        table(&[1], &[(3, 3)]),
        pack(&[Some(1), None, Some(3)].as_slice()).unwrap().to_vec(),
    ];
    for bytes in holes {
        assert_eq!(
            unpack::<Vec<Option<i64>>>(&bytes),
            Ok(vec![Some(1), None, Some(3)])
        );
        let one = [[0x0e].as_slice(), &bytes, &[0]].concat();
        let tuple = unpack::<Vec<(i64, Option<i64>, i64, ())>>(&one);
        assert_eq!(tuple, Ok(vec![(1, None, 3, ())]));
        assert_eq!(
            unpack::<Either>(&bytes).unwrap_err().to_string(),
            "data did not match any variant of untagged enum Either"
        );
        assert!(unpack::<Vec<i64>>(&bytes).is_err());
        assert!(unpack::<Vec<(i64, Option<i64>)>>(&one).is_err(), "too many");
    }
    // Pairs come in any order.
    let bytes = table(&[], &[(5, 5), (2, 2), (7, 7)]);
    let list = [None, Some(2), None, None, Some(5), None, Some(7)];
    assert_eq!(unpack::<Vec<Option<i64>>>(&bytes), Ok(list.to_vec()));
    let text = unpack::<Vec<i64>>(&bytes).unwrap_err().to_string();
    assert_eq!(text, "value 1 is missing: expected i64");
    let error = unpack::<Vec<Option<u8>>>(&table(&[1], &[(4, 256), (3, 3)])).unwrap_err();
    assert!(error.to_string().starts_with("item 4: "), "{error}");
}

#[test]
fn a_map_is_no_list_with_nils() {
    for pairs in [
        &[(1 << 40, 1)][..],
        &[(2, 2), (2, 2)],
        &[(3, 3), (-1, 1)],
        &[(3, 3), (0, 0)],
        &[(70, 1)],
        &[(i64::MAX, 1), (i64::MAX - 1, 1)],
    ] {
        let bytes = table(&[5], pairs);
        assert!(unpack::<Vec<Option<i64>>>(&bytes).is_err(), "{pairs:?}");
    }
    assert!(unpack::<Vec<Option<i64>>>(&table(&[5], &[(1, 5)])).is_err());
    // In a buffer, too, where either may be wanted.
    let sparse = BTreeMap::from([("scores", BTreeMap::from([(1001, true)]))]);
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Scores {
        Sparse { scores: BTreeMap<i64, bool> },
    }
    let scores = sparse["scores"].clone();
    assert_eq!(
        unpack(&pack(&sparse).unwrap()),
        Ok(Scores::Sparse { scores })
    );
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Perhaps {
    Number(i64),
    Nothing(Option<bool>),
}

#[test]
fn a_parameter_that_is_missing_is_nil_to_whoever_takes_nil() {
    let packed = pack(&1).unwrap();
    let nils: (i64, Perhaps, (), Value) = unpack(&packed).unwrap();
    assert_eq!(nils, (1, Perhaps::Nothing(None), (), Value::Nil));
    let nil = pack(&(1, None::<u8>)).unwrap();
    let nils: (i64, Perhaps) = unpack(&nil).unwrap();
    assert_eq!(nils, (1, Perhaps::Nothing(None)));
    let (_, serde::de::IgnoredAny) = unpack::<(i64, _)>(&packed).unwrap();
    let missing = unpack::<(i64, Order)>(&packed).unwrap_err().to_string();
    assert!(missing.starts_with("value 2 is missing: "), "{missing}");
}

#[test]
fn keys_are_what_they_are_in_items_as_in_pairs() {
    let map = BTreeMap::from([(Some(1), 10), (Some(2), 20)]);
    assert_eq!(unpack(&table(&[10, 20], &[])), Ok(map.clone()));
    assert_eq!(unpack(&table(&[], &[(2, 20), (1, 10)])), Ok(map));
    assert!(unpack::<HashMap<LightUserdata, i64>>(&table(&[10], &[])).is_err());
    assert!(unpack::<HashMap<String, i64>>(&table(&[10], &[])).is_err());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Peer {
    host: IpAddr,
    address: SocketAddr,
    any: Value,
}

#[test]
fn what_has_a_text_is_text_to_lua() {
    let host: IpAddr = "127.0.0.1".parse().unwrap();
    assert_eq!(pack(&host).unwrap()[..], pack("127.0.0.1").unwrap()[..]);
    comes_back(&host);
    let peer = || Peer {
        host: "::1".parse().unwrap(),
        address: "10.0.0.1:80".parse().unwrap(),
        any: Value::Nil,
    };
    comes_back(&peer());
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Login {
        From { peer: Peer },
    }
    comes_back(&Login::From { peer: peer() });
}

#[test]
#[cfg_attr(miri, ignore = "minutes, and nothing unsafe")]
fn nils_take_no_more_memory_than_the_message_has_bytes() {
    type Lists = Vec<Vec<Option<i64>>>;
    let hollow = Table {
        array: vec![],
        pairs: vec![(65.into(), 0.into())],
    };
    let lists = |count: usize| pack(&vec![hollow.clone(); count]).unwrap();
    let one = unpack::<Lists>(&lists(1)).unwrap();
    assert_eq!((one.len(), one[0].len()), (1, 65));
    for count in [10, 1000] {
        let error = unpack::<Lists>(&lists(count)).unwrap_err().to_string();
        assert!(error.contains("that is a map"), "{error}");
    }
    let two = pack(&(hollow.clone(), hollow)).unwrap();
    let mut values = Values::new(&two);
    assert!(values.next::<Vec<Option<i64>>>().is_ok());
    assert!(values.next::<Vec<Option<i64>>>().is_err(), "none are left");
}

#[derive(Debug, Deserialize, Serialize, PartialEq)]
#[serde(untagged)]
enum Nested {
    Number(i64),
    List(Vec<Nested>),
    Map(BTreeMap<String, Nested>),
}

thread_local! {
    static READ: Cell<usize> = const { Cell::new(0) };
}

/// Counts how often it is read.
#[derive(Debug)]
struct Counted;

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counted, D::Error> {
        READ.set(READ.get() + 1);
        Nested::deserialize(deserializer).map(|_| Counted)
    }
}

#[test]
#[cfg_attr(miri, ignore = "minutes, and nothing unsafe")]
fn a_long_message_that_fits_nowhere_is_read_a_few_times() {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Part {
        Map(BTreeMap<char, [i64; 0]>),
        Wrong(bool),
    }
    for (maps, most) in [(1, 65), (3000, 9)] {
        let map = || Part::Map("abcdef".chars().map(|name| (name, [])).collect());
        let mut parts: Vec<Part> = (0..maps).map(|_| map()).collect();
        parts.push(Part::Wrong(false));
        READ.set(0);
        assert!(unpack::<Counted>(&pack(&parts).unwrap()).is_err());
        assert!((2..=most).contains(&READ.get()), "{maps}: {}", READ.get());
    }
}
