//! A player in a game: joins, moves, acts now and then, and prints what the others do.
//!
//! ```sh
//! perennial serve --app game --drop-every 2s    # in another terminal
//! cargo run -p perennial-examples --example game -- ws://127.0.0.1:9001 ann 20
//! cargo run -p perennial-examples --example game -- ws://127.0.0.1:9001 bob 20    # in a third
//! ```
//!
//! The arguments: the URL, whose path is the game, the player, and for how many seconds. The game
//! starts when there are two.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use perennial::asynchronous::Topic;
use perennial::tokio::Tokio;
use perennial::{Builder, Class, Outgoing};
use serde::Deserialize;
use serde_json::json;

/// What there is to hear in a game.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Heard {
    GameStart { players: Vec<String> },
    PlayerJoin { player: String },
    PlayerLeave { player: String },
    PlayerMove { player: String, x: u64, y: u64 },
    PlayerAction { player: String, action: String, timestamp: u64 },
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    let player = args.next().unwrap_or_else(|| "ann".to_owned());
    let seconds = args.next().map_or(Ok(20), |seconds| {
        seconds.parse().map_err(|_| format!("{seconds} is no whole number of seconds"))
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(play(&url, &player, seconds))
}

async fn play(url: &str, player: &str, seconds: u64) -> Result<(), Box<dyn Error>> {
    let join = json!({"type": "playerJoin", "player": player}).to_string();
    let builder = Builder::new(url)
        // The server forgets a player with the connection: said on each, before what is queued.
        .on_open(move |opening| opening.send(join.clone()))
        .on_state(|change| println!("-- {change}"));
    let (client, driver) = builder.connect_on(Tokio)?;
    // Nothing happens before the driver is polled, so nothing is missed.
    let printer = tokio::spawn(print(client.topic("**")?));
    tokio::spawn(driver);

    let mut clock = tokio::time::interval(Duration::from_millis(200));
    for turn in 1..=seconds * 5 {
        clock.tick().await;
        // Where a player was a second ago interests nobody: sent now or never.
        let step = json!({"type": "playerMove", "x": turn % 10, "y": turn / 10}).to_string();
        if client.send(Outgoing::new(step).class(Class::Volatile)).await.is_err() {
            // The connection is closed for good.
            break;
        }
        if turn % 5 == 0 {
            // What a player did counts, and says when it was: it waits for a connection.
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
            let now = u64::try_from(now)?;
            let action = json!({"type": "playerAction", "action": "jump", "timestamp": now});
            client.send(action.to_string()).await?;
        }
    }
    client.drain(Some(Duration::from_secs(5)));
    client.wait_closed().await;
    printer.await?;
    Ok(())
}

async fn print(mut heard: Topic<Heard>) {
    while let Some(event) = heard.recv().await {
        match event {
            Ok(Heard::GameStart { players }) => println!("the game starts: {}", players.join(", ")),
            Ok(Heard::PlayerJoin { player }) => println!("{player} joins"),
            Ok(Heard::PlayerLeave { player }) => println!("{player} leaves"),
            Ok(Heard::PlayerMove { player, x, y }) => println!("{player} moves to {x},{y}"),
            Ok(Heard::PlayerAction { player, action, timestamp }) => {
                println!("{player}: {action} at {timestamp}");
            }
            Err(error) => println!("-- not understood: {error}"),
        }
    }
}
