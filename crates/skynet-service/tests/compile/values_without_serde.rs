//! What a command takes and gives comes from Lua and goes there.

use skynet_service::error::BoxError;
use skynet_service::{Args, Ctx, service};

fn main() {}

struct Player;

struct Room;

#[service("room")]
impl Room {
    fn init(_: Ctx, _: Args) -> Result<Room, BoxError> {
        Ok(Room)
    }

    #[command]
    fn enter(&self, player: Player) {
        let _ = player;
    }

    #[command]
    fn first(&self) -> Player {
        Player
    }
}
