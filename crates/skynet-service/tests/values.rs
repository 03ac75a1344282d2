//! Values of Lua by serde: the bytes of `skynet.pack`, and back.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use skynet_service::lua::{
    Error, LightUserdata, LuaString, Table, Value, Values, pack, unpack, unpack_values,
};
use skynet_service::{Handle, Payload};

fn hex(values: &(impl Serialize + ?Sized)) -> String {
    let packed = pack(values).unwrap();
    packed.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn values_have_the_bytes_of_skynet_pack() {
    assert_eq!(hex(&()), "");
    assert_eq!(hex(&(None::<u8>, None::<u8>)), "0000");
    assert_eq!(hex(&true), "09");
    assert_eq!(hex(&false), "01");
    for (integer, bytes) in [
        (0, "02"),
        (1, "0a01"),
        (255, "0aff"),
        (256, "120001"),
        (65535, "12ffff"),
        (65536, "2200000100"),
        (0x7fff_ffff, "22ffffff7f"),
        (0x8000_0000, "320000008000000000"),
        (-1, "22ffffffff"),
        (-2_147_483_648, "2200000080"),
        (-2_147_483_649, "32ffffff7fffffffff"),
    ] {
        assert_eq!(hex(&integer), bytes, "{integer}");
        assert_eq!(unpack::<i64>(&pack(&integer).unwrap()), Ok(integer));
    }
    assert_eq!(hex(&1.0), "42000000000000f03f");
    assert_eq!(hex(&-0.0f32), "420000000000000080");
    assert_eq!(hex(""), "04");
    assert_eq!(hex("a"), "0c61");
    for (length, begin) in [
        (31, "fc78"),
        (32, "15200078"),
        (65535, "15ffff78"),
        (65536, "250000010078"),
    ] {
        if cfg!(miri) && length > 100 {
            continue; // A minute each.
        }
        assert!(hex(&"x".repeat(length)).starts_with(begin), "{length}");
    }
    assert_eq!(hex(&Vec::<u8>::new()), "0600");
    assert_eq!(hex(&vec![1, 2, 3]), "1e0a010a020a0300");
    assert_eq!(hex(&BTreeMap::from([("a", 1)])), "060c610a0100");
    assert_eq!(hex(&vec![0; 30]), format!("f6{}00", "02".repeat(30)));
    assert_eq!(hex(&vec![0; 31]), format!("fe0a1f{}00", "02".repeat(31)));
    assert_eq!(
        hex(&vec![0; 300]),
        format!("fe122c01{}00", "02".repeat(300))
    );
    assert_eq!(hex(&[vec![(); 0], vec![]].to_vec()), "160600060000");
    assert_eq!(hex(&BTreeMap::from([(100, 1)])), "060a640a0100");
    let x = BTreeMap::from([("x", "y")]);
    assert_eq!(hex(&("lua", 1, x)), "1c6c75610a01060c780c7900");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Line(i32, i32),
    Box { width: u8, height: u8 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Meters(f64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Player {
    name: String,
    level: u16,
    guild: Option<String>,
    items: Vec<u32>,
    scores: HashMap<i64, bool>,
    shapes: Vec<Shape>,
    size: Meters,
    place: (i8, i8),
    blob: LuaString,
    pointer: LightUserdata,
    any: Value,
}

fn player() -> Player {
    Player {
        name: "名字".to_string(),
        level: 60,
        guild: None,
        items: vec![1, 2, 300],
        scores: HashMap::from([(1, true), (-5, false)]),
        shapes: vec![
            Shape::Point,
            Shape::Circle(1.5),
            Shape::Line(1, -2),
            Shape::Box {
                width: 1,
                height: 2,
            },
        ],
        size: Meters(2.0),
        place: (3, -4),
        blob: LuaString(vec![0, 255, 128]),
        pointer: LightUserdata(usize::MAX),
        any: Value::Table(Table {
            array: vec![Value::Integer(1), Value::Nil, Value::Number(0.5)],
            pairs: vec![("k".into(), true.into())],
        }),
    }
}

#[test]
fn a_type_goes_out_and_comes_back() {
    let packed = pack(&("set", player(), 7u64)).unwrap();
    let (name, back, number): (&str, Player, u64) = unpack(&packed).unwrap();
    assert_eq!((name, number), ("set", 7));
    assert_eq!(back, player());
    // As anything, too.
    let values = unpack_values(&packed).unwrap();
    let table = values[1].as_table().unwrap();
    assert_eq!(table.get("level").and_then(Value::as_i64), Some(60));
    assert_eq!(table.get("guild"), None, "what is nil is not there");
}

#[test]
fn enums_are_strings_or_tables_with_one_pair() {
    assert_eq!(hex(&Shape::Point), hex("Point"));
    let line = BTreeMap::from([("Line", vec![1, -2])]);
    assert_eq!(hex(&Shape::Line(1, -2)), hex(&line));
    let sides = BTreeMap::from([("Box", BTreeMap::from([("width", 1)]))]);
    assert!(
        unpack::<Shape>(&pack(&sides).unwrap()).is_err(),
        "a side is missing"
    );
    assert!(unpack::<Shape>(&pack("Ball").unwrap()).is_err());
}

/// Variants of which something may be nil.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Order {
    Wait(Option<u32>),
    Stop(()),
    Show(Value),
    Then(Box<Option<Order>>),
    Move(Option<i8>, Option<i8>),
    Aim { at: Option<u32> },
    Wrapped(Mark),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mark;

#[test]
fn a_variant_keeps_its_name_when_what_is_in_it_is_nil() {
    let orders = [
        Order::Wait(None),
        Order::Wait(Some(5)),
        Order::Stop(()),
        Order::Show(Value::Nil),
        Order::Then(Box::new(None)),
        Order::Then(Box::new(Some(Order::Wait(None)))),
        Order::Move(None, None),
        Order::Move(None, Some(1)),
        Order::Move(Some(1), None),
        Order::Aim { at: None },
        Order::Wrapped(Mark),
    ];
    for order in &orders {
        let packed = pack(order).unwrap();
        assert_eq!(unpack::<Order>(&packed).as_ref(), Ok(order));
        let within = pack(&(1, BTreeMap::from([("order", order)]))).unwrap();
        let (_, back): (i64, BTreeMap<String, Order>) = unpack(&within).unwrap();
        assert_eq!(&back["order"], order);
    }
    let all = pack(&(orders.to_vec(),)).unwrap();
    assert_eq!(unpack(&all), Ok((orders.to_vec(),)));
    // Lua sees a name, as it does of a variant without content.
    assert_eq!(hex(&Order::Wait(None)), hex("Wait"));
    assert_eq!(hex(&Order::Show(Value::Nil)), hex("Show"));
    let then = BTreeMap::from([("Then", "Wait")]);
    assert_eq!(hex(&orders[5]), hex(&then));
    // What cannot be nil is missing, and said to be.
    let text = unpack::<Shape>(&pack("Circle").unwrap())
        .unwrap_err()
        .to_string();
    assert_eq!(text, "a variant without what is in it: expected f64");
}

#[test]
fn parameters_are_as_forgiving_as_those_of_lua() {
    let packed = pack(&(5, "surplus")).unwrap();
    assert_eq!(unpack::<i64>(&packed), Ok(5));
    assert_eq!(unpack::<(i64,)>(&packed), Ok((5,)));
    assert_eq!(unpack::<()>(&packed), Ok(()));
    let (number, text, missing): (f64, String, Option<u8>) = unpack(&packed).unwrap();
    assert_eq!((number, text.as_str(), missing), (5.0, "surplus", None));
    assert_eq!(unpack::<Value>(b""), Ok(Value::Nil));
    assert_eq!(unpack::<Option<i64>>(b""), Ok(None));
    assert_eq!(unpack::<(Option<i64>, Value)>(b""), Ok((None, Value::Nil)));
    assert_eq!(unpack::<u8>(&pack(&3.0).unwrap()), Ok(3));
    let missing = unpack::<(i64, String)>(&pack(&5).unwrap()).unwrap_err();
    assert_eq!(missing.to_string(), "value 2 is missing: expected a string");
    let wrong = unpack::<(i64, String)>(&pack(&(5, 6)).unwrap()).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "value 2: invalid type: integer `6`, expected a string"
    );
    assert!(unpack::<u8>(&pack(&256).unwrap()).is_err());
    assert!(unpack::<i64>(&pack(&0.5).unwrap()).is_err());
    assert!(unpack::<i64>(&pack(&9.3e18).unwrap()).is_err());
}

#[test]
fn lists_come_from_items_or_from_pairs() {
    // As a table with `__pairs` is packed.
    let pairs = BTreeMap::from([(1, "a"), (2, "b")]);
    let packed = pack(&pairs).unwrap();
    assert_eq!(unpack::<Vec<String>>(&packed).unwrap(), ["a", "b"]);
    assert_eq!(unpack::<BTreeMap<i64, &str>>(&packed).unwrap(), pairs);
    let list = pack(&vec!["a", "b"]).unwrap();
    assert_eq!(unpack::<BTreeMap<i64, &str>>(&list).unwrap(), pairs);
    let hole = pack(&BTreeMap::from([(1, "a"), (3, "c")])).unwrap();
    assert!(unpack::<Vec<String>>(&hole).is_err());
    // Inside of a table a tuple is exact, but for what Lua drops at the end.
    let one = pack(&(vec![1],)).unwrap();
    assert_eq!(unpack(&one), Ok(((1, None::<u8>),)));
    assert!(unpack::<((i64, i64),)>(&pack(&(vec![1, 2, 3],)).unwrap()).is_err());
}

#[test]
fn what_lua_has_not_is_an_error() {
    assert!(pack(&u64::MAX).is_err());
    assert!(pack(&i128::MAX).is_err());
    assert!(
        pack(&BTreeMap::from([(None::<u8>, 1)])).is_err(),
        "nil as a key"
    );
    let nan = Value::Table(Table {
        array: vec![],
        pairs: vec![(f64::NAN.into(), true.into())],
    });
    assert!(pack(&nan).is_err(), "NaN as a key");
    assert!(
        pack(&(1, u64::MAX))
            .unwrap_err()
            .to_string()
            .contains("i64")
    );
}

fn nested(depth: usize, innermost: Value) -> Value {
    let mut value = innermost;
    for _ in 0..depth {
        value = Value::Table(Table {
            array: vec![value],
            pairs: vec![],
        });
    }
    value
}

#[test]
#[cfg_attr(miri, ignore = "a million bytes")]
fn tables_are_as_deep_as_in_skynet_pack() {
    let empty = || Value::Table(Table::default());
    let deepest = pack(&nested(32, empty())).unwrap();
    assert_eq!(unpack(&deepest), Ok(nested(32, empty())));
    assert_eq!(
        pack(&nested(33, Value::Integer(1))).unwrap_err(),
        Error::TooDeep
    );
    assert_eq!(pack(&nested(33, empty())).unwrap_err(), Error::TooDeep);
    // Bytes that nobody has packed.
    let bytes = vec![0x0e; 1_000_000];
    assert_eq!(unpack::<Value>(&bytes), Err(Error::TooDeep));
    assert!(unpack::<()>(&bytes).is_ok(), "not looked at");
    assert_eq!(
        unpack::<serde::de::IgnoredAny>(&bytes).unwrap_err(),
        Error::TooDeep
    );
}

#[test]
fn a_length_is_not_believed() {
    // A list of 2^31 - 1 items, of which none is there.
    let bytes = [0xfe, 0x22, 0xff, 0xff, 0xff, 0x7f];
    assert!(unpack::<Vec<u64>>(&bytes).is_err());
    assert!(unpack::<Value>(&bytes).is_err());
    assert!(unpack_values(&bytes).is_err());
    // A string of 4 GiB, of which one byte is there.
    assert!(unpack::<String>(&[0x25, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    // Of a table with any number as its length the unpacker of Lua makes this, too.
    assert_eq!(unpack(&[0xfe, 0x0a, 0x01, 0x0a, 0x05, 0x00]), Ok(vec![5]));
    assert_eq!(
        unpack::<i64>(&[0x1a]),
        Err(Error::Invalid { at: 0, byte: 0x1a })
    );
    assert_eq!(
        unpack::<i64>(&[0x07]),
        Err(Error::Invalid { at: 0, byte: 7 })
    );
    assert_eq!(unpack::<i64>(&[0x22, 1]), Err(Error::Truncated { at: 0 }));
    assert_eq!(unpack::<bool>(&[0x11]), Ok(true));
}

#[test]
fn values_are_read_one_after_another() {
    let packed = pack(&("name", 1, "rest", 2)).unwrap();
    let mut values = Values::new(&packed);
    assert_eq!(values.next::<&str>(), Ok("name"));
    assert!(values.next::<String>().is_err());
    assert_eq!(
        values.next::<i64>(),
        Ok(1),
        "what did not fit is still there"
    );
    assert_eq!(values.rest::<(String, i64)>(), Ok(("rest".to_string(), 2)));
}

#[test]
fn an_error_says_where_in_the_value_it_is() {
    let large = (1, [[("name", u64::MAX)]]);
    assert_eq!(
        pack(&large).unwrap_err().to_string(),
        "value 2: item 1: item 1: item 2: 18446744073709551615 is no integer of Lua, which is an i64"
    );
    let scores = HashMap::from([("zhang", u64::MAX)]);
    let text = pack(&scores).unwrap_err().to_string();
    assert!(text.starts_with("field \"zhang\": "), "{text}");

    let lists = HashMap::from([("scores", (1, "two"))]);
    let packed = pack(&(true, lists)).unwrap();
    let wanted = unpack::<(bool, HashMap<String, Vec<i64>>)>(&packed);
    let text = wanted.unwrap_err().to_string();
    let place = "value 2: field \"scores\": item 2: invalid type: string";
    assert!(text.starts_with(place), "{text}");
}

#[test]
fn an_error_leaves_nothing_behind() {
    let mut writer = skynet_service::PayloadWriter::new();
    writer.put(b"before");
    let bad = (1, "text", u64::MAX);
    assert!(skynet_service::lua::pack_into(&mut writer, &bad).is_err());
    assert_eq!(&*writer.finish(), b"before");
}

fn key() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        any::<f64>()
            .prop_filter("a key", |key| !key.is_nan())
            .prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Value::String(LuaString(bytes))),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<i64>().prop_map(Value::Integer),
        (-70000..70000i64).prop_map(Value::Integer),
        any::<f64>()
            .prop_filter("equal to itself", |value| !value.is_nan())
            .prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        any::<usize>().prop_map(|pointer| Value::LightUserdata(LightUserdata(pointer))),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(|bytes| Value::String(LuaString(bytes))),
    ];
    leaf.prop_recursive(4, 64, 40, |inner| {
        let item = inner.clone();
        let pair = (
            key(),
            inner.prop_filter("no nil in a table", |value| !value.is_nil()),
        );
        (
            prop::collection::vec(item, 0..40),
            prop::collection::vec(pair, 0..5),
        )
            .prop_map(|(array, pairs)| Value::Table(Table { array, pairs }))
    })
}

proptest! {
    #[test]
    #[cfg_attr(miri, ignore = "takes half an hour")]
    fn any_values_come_back_with_the_same_bytes(values in prop::collection::vec(value(), 0..5)) {
        let mut packed = skynet_service::PayloadWriter::new();
        for value in &values {
            skynet_service::lua::pack_into(&mut packed, value).unwrap();
        }
        let packed: Payload = packed.finish();
        let back = unpack_values(&packed).unwrap();
        prop_assert_eq!(&back, &values);
        let mut reader = Values::new(&packed);
        for value in &values {
            prop_assert_eq!(&reader.next::<Value>().unwrap(), value);
        }
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = unpack_values(&bytes);
        let _ = unpack::<Player>(&bytes);
        let _ = unpack::<(String, Vec<Shape>, HashMap<String, f64>)>(&bytes);
        let _ = unpack::<serde::de::IgnoredAny>(&bytes);
        // What is accepted is packed to something that means the same.
        if let Ok(value) = unpack::<Value>(&bytes)
            && let Ok(packed) = pack(&value)
        {
            let again = unpack::<Value>(&packed).unwrap();
            prop_assert_eq!(&*pack(&again).unwrap(), &*packed);
        }
    }

    #[test]
    fn a_damaged_message_is_an_error_or_another_message(at in 0usize..400, byte in any::<u8>()) {
        let mut packed = pack(&player()).unwrap().to_vec();
        let at = at % packed.len();
        packed[at] = byte;
        let _ = unpack::<Player>(&packed);
        let _ = unpack_values(&packed);
        prop_assert!(unpack::<Player>(&packed[..at]).is_err());
    }
}

#[test]
fn floats_beyond_the_integers_are_none() {
    assert_eq!(Value::Number(2f64.powi(63)).as_i64(), None);
    assert_eq!(Value::Number(f64::NAN).as_i64(), None);
    assert_eq!(Value::Number(i64::MIN as f64).as_i64(), Some(i64::MIN));
}

#[test]
fn a_handle_is_the_number_that_lua_has() {
    let handle = Handle::new(0x0100_000a).unwrap();
    assert_eq!(pack(&handle).unwrap()[..], pack(&0x0100_000a).unwrap()[..]);
    let both: (Handle, Option<Handle>) = unpack(&pack(&(0x0100_000a, ())).unwrap()).unwrap();
    assert_eq!(both, (handle, None));
    let refused = |bytes: &[u8]| unpack::<Handle>(bytes).unwrap_err().to_string();
    let expected = "expected the handle of a service, a number that is not 0";
    let zero = refused(&pack(&0).unwrap());
    assert_eq!(zero, format!("invalid value: integer `0`, {expected}"));
    let text = refused(&pack(".db").unwrap());
    assert_eq!(text, format!("invalid type: string \".db\", {expected}"));
    assert!(refused(&pack(&-1).unwrap()).starts_with("invalid value: integer `-1`"));
}
