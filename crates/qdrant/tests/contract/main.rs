//! What every store does, asked of each that is there: a gallery in a folder; a server that is a stand-in; and a real Qdrant
//! where `TUWEN_TEST_QDRANT` names its address (`127.0.0.1:6334`). Where one is not there, the tests say so.

#[cfg(feature = "client")]
#[path = "../stand_in/mod.rs"]
mod stand_in;

mod claims;
mod items;

use tuwen_index::Gallery;
use tuwen_index::store::Store;

use self::items::{filled, model};

/// The variable with the address of a real server.
#[cfg(feature = "client")]
const REAL: &str = "TUWEN_TEST_QDRANT";

/// A store that a claim is made of, with what must live as long.
struct Under {
    name: &'static str,
    store: Box<dyn Store>,
    _folder: tempfile::TempDir,
    #[cfg(feature = "client")]
    _server: Option<stand_in::StandIn>,
}

/// Makes a claim of each store; `test` names the collection on a real server.
fn each(test: &str, claim: impl Fn(&dyn Store, &Gallery)) {
    let folder = tempfile::tempdir().expect("a folder");
    let original = filled(folder.path());
    for under in stores(test) {
        println!("{test}: of {}", under.name);
        claim(&*under.store, &original);
    }
}

fn stores(test: &str) -> Vec<Under> {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = Gallery::open_for_writing(folder.path(), &model()).expect("a gallery");
    let local = Under {
        name: "a gallery",
        store: Box::new(gallery),
        _folder: folder,
        #[cfg(feature = "client")]
        _server: None,
    };
    let mut stores = vec![local];
    stores.extend(servers(test));
    stores
}

#[cfg(not(feature = "client"))]
fn servers(test: &str) -> Vec<Under> {
    eprintln!("{test}: NOT RUN of Qdrant, this build has no client: --features tuwen-cli/qdrant");
    Vec::new()
}

#[cfg(feature = "client")]
fn servers(test: &str) -> Vec<Under> {
    use tuwen_qdrant::{Address, Making, open_for_writing};

    let server = stand_in::StandIn::start();
    let open = |address: &Address| {
        open_for_writing(address, &model(), &Making::default()).expect("a collection")
    };
    let folder = || tempfile::tempdir().expect("a folder");
    let store = open(&server.address(test));
    let mut under =
        vec![Under { name: "a stand-in", store, _folder: folder(), _server: Some(server) }];
    match std::env::var(REAL) {
        Ok(server) if !server.trim().is_empty() => {
            // Another name each time: what an earlier run left is not met again.
            let unique = format!("{test}-{}-{:x}", std::process::id(), now());
            let text = format!("qdrant://{}/{unique}", server.trim());
            let address = Address::parse(&text).expect("an address");
            let store = open(&address);
            under.push(Under { name: "Qdrant", store, _folder: folder(), _server: None });
        }
        _ => eprintln!("{test}: NOT RUN of a real Qdrant: {REAL} names no address"),
    }
    under
}

#[cfg(feature = "client")]
fn now() -> u128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_millis()
}
