//! A page of a real server, for a test.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tuwen_serve::{Connections, State, app, listen};

use super::Page;

/// Serves galleries, opens a browser and does what is to be done with its page, which is handed the server's address;
/// then nobody may have complained, and nothing may have been asked elsewhere.
pub fn with_page(program: &Path, state: State, work: impl FnOnce(&mut Page, &str)) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/", listener.local_addr().expect("an address"));
    state.warm().expect("a model");
    let (router, stop) = (app(state), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let server = scope.spawn(|| listen(listener, router, Connections::default(), &stop));
        // A failure must end the server too, or the scope would wait for it forever.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut page = Page::new(program);
            work(&mut page, &address);
            assert_eq!(page.complaints, Vec::<String>::new());
            let inside = ["data:", "blob:", "about:"];
            let ours = |url: &&String| {
                url.starts_with(&address) || inside.iter().any(|scheme| url.starts_with(scheme))
            };
            let strange: Vec<&String> = page.requests.iter().filter(|url| !ours(url)).collect();
            assert!(strange.is_empty(), "asked elsewhere: {strange:?}");
        }));
        stop.store(true, Ordering::Release);
        server.join().expect("the server ends").expect("and ends well");
        if let Err(failure) = result {
            std::panic::resume_unwind(failure);
        }
    });
}
