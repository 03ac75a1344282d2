//! Values of Lua, read and written again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skynet_service::error::BoxError;
use skynet_service::lua::{self, LightUserdata, LuaString, Table, Value};
use skynet_service::{Args, Ctx, Kind, Message, service};

struct Values;

#[derive(Serialize, Deserialize)]
struct Player {
    name: String,
    level: u32,
    guild: Option<String>,
    items: Vec<i64>,
    place: (f64, f64),
}

#[service("rs_values")]
impl Values {
    async fn init(_: Ctx, _: Args) -> Result<Values, BoxError> {
        Ok(Values)
    }

    /// Answers a message of values with the same, if they are the same bytes, too.
    fn message(&self, _: Ctx, message: Message<'_>) {
        let Some(responder) = message.responder() else {
            return;
        };
        if message.kind() == Kind::Text {
            responder.respond(made(message.bytes()));
            return;
        }
        match lua::unpack_values(message.bytes()) {
            Ok(values) => {
                let mut writer = skynet_service::PayloadWriter::new();
                for value in &values {
                    if let Err(error) = lua::pack_into(&mut writer, value) {
                        log::error!("{error}");
                    }
                }
                if *writer != *message.bytes() {
                    log::error!("{:?} became {writer:?}", message.bytes(), writer = &*writer);
                    return;
                }
                responder.respond(writer.finish());
            }
            Err(error) => log::error!("{error}"),
        }
    }
}

/// The bytes of what a name stands for, made from types of Rust.
fn made(name: &[u8]) -> skynet_service::Payload {
    let packed = match name {
        b"integers" => lua::pack(&(
            0,
            1u8,
            255,
            256,
            65535,
            65536,
            i64::MAX,
            i64::MIN,
            -1,
            i32::MIN,
        )),
        b"floats" => lua::pack(&(0.0, -0.5f32, 1e300, f64::INFINITY)),
        b"strings" => lua::pack(&(
            "",
            "a",
            "x".repeat(31),
            "x".repeat(32),
            "x".repeat(65536),
            '字',
        )),
        b"bytes" => lua::pack(&LuaString(vec![0, 255])),
        b"booleans" => lua::pack(&(true, false, None::<u8>, ())),
        b"lists" => lua::pack(&(
            vec![1, 2, 3],
            [0; 30].to_vec(),
            vec![7; 31],
            vec![(1, 2), (3, 4)],
        )),
        b"map" => lua::pack(&BTreeMap::from([("key", 1)])),
        b"number as a key" => lua::pack(&BTreeMap::from([(100, "hundred")])),
        b"pointer" => lua::pack(&LightUserdata(0)),
        b"both parts" => lua::pack(&Value::Table(Table {
            array: vec![1.into(), 2.into()],
            pairs: vec![("k".into(), true.into())],
        })),
        b"struct" => lua::pack(&Player {
            name: "名字".to_string(),
            level: 60,
            guild: None,
            items: vec![1, 2, 300],
            place: (1.5, -2.0),
        }),
        _ => lua::pack(&()),
    };
    packed.unwrap_or_default()
}
