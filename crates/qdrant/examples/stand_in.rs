//! A server that speaks Qdrant's protocol and keeps everything in memory, as the tests use it: to try the program where there is
//! no Qdrant. It looks at every point for every search, and forgets all when it ends.
//!
//!     cargo run --release -p tuwen-qdrant --features client --example stand_in

#[path = "../tests/stand_in/mod.rs"]
mod stand_in;

fn main() {
    let server = stand_in::StandIn::start();
    println!("{}", server.address("photos"));
    loop {
        std::thread::park();
    }
}
