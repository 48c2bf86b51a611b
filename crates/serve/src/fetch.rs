//! Pictures by their addresses, where the server was told to fetch them: within limits, and never from this machine
//! or a private network, which a client might not reach itself.
//!
//! What a name leads to is looked at where the connection is made, for each redirect again, so that a name that means
//! something else the second time (DNS rebinding) gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;
use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::State;
use crate::data_uri;
use crate::problem::{Problem, ProblemType};

/// How long a picture may take, and how often its address may lead to another.
const PATIENCE: Duration = Duration::from_secs(10);
const REDIRECTS: u32 = 3;

/// The bytes of a picture that a client sends, or has sent before, or whose address it sends; `name` is the key.
pub(crate) async fn picture(state: &State, name: &str, sent: &str) -> Result<Vec<u8>, Problem> {
    if let Some(kept) = state.asked_about.named(sent) {
        return kept.map(|bytes| bytes.to_vec()).map_err(|problem| problem.of(name));
    }
    let is_address = ["http://", "https://"]
        .iter()
        .any(|start| sent.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)));
    if !is_address || !state.settings.fetch_images {
        return data_uri::bytes_of(name, sent);
    }
    let (name, address, most) = (name.to_owned(), sent.to_owned(), state.settings.limits.body);
    state.fetches.run(move || fetch(&name, &address, most)).await
}

fn fetch(name: &str, address: &str, most: usize) -> Result<Vec<u8>, Problem> {
    static AGENT: LazyLock<Agent> = LazyLock::new(|| {
        let config = Config::builder()
            .timeout_global(Some(PATIENCE))
            .max_redirects(REDIRECTS)
            // One of the environment would look names up in our place.
            .proxy(None)
            .user_agent(concat!("tuwen/", env!("CARGO_PKG_VERSION")))
            .build();
        Agent::with_parts(config, DefaultConnector::default(), Public(DefaultResolver::default()))
    });
    let failed = |error: ureq::Error| {
        let what = match error {
            ureq::Error::HostNotFound => "its host has no public address".to_owned(),
            ureq::Error::BodyExceedsLimit(limit) => {
                let detail = format!("{name}: the picture has more than {limit} bytes");
                return Problem::new(ProblemType::TooLarge, detail);
            }
            other => other.to_string(),
        };
        let detail =
            format!("{name}: the address cannot be fetched ({what}): send the picture itself");
        Problem::new(ProblemType::InvalidPicture, detail)
    };
    let mut answer = AGENT.get(address).call().map_err(failed)?;
    answer.body_mut().with_config().limit(most as u64).read_to_vec().map_err(failed)
}

/// Names and addresses that lead to the public network alone.
#[derive(Debug)]
struct Public(DefaultResolver);

impl Resolver for Public {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut public = self.empty();
        for address in self.0.resolve(uri, config, timeout)?.iter() {
            if is_public(address.ip()) {
                public.push(*address);
            }
        }
        match public.is_empty() {
            true => Err(ureq::Error::HostNotFound),
            false => Ok(public),
        }
    }
}

/// Whether everybody reaches this address (IANA's registries of special-purpose addresses).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_public_v4(ip),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || a == 0
        || a >= 224
        || (a, b & 0xc0) == (100, 64)
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a, b & 0xfe) == (198, 18);
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    // Only these are given out; within them are documentation, and tunnels that have an IPv4 address inside.
    (first & 0xe000) == 0x2000
        && first != 0x2002
        && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
        && !(first == 0x3fff && second < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_everybody_reaches_is_public() {
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for special in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
        ] {
            assert!(!is_public(special.parse().expect("an address")), "{special}");
        }
    }

    #[test]
    fn addresses_of_this_machine_are_refused_however_they_are_written() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
        server.set_nonblocking(true).expect("a socket");
        let port = server.local_addr().expect("an address").port();
        for host in
            ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
        {
            let problem = fetch("image", &format!("http://{host}:{port}/a.png"), 1000);
            let detail = problem.expect_err(host).detail;
            assert!(detail.contains("cannot be fetched"), "{host}: {detail}");
            assert!(server.accept().is_err(), "{host}: it connected");
        }
    }
}
