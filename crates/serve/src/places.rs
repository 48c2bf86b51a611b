//! Places for connections: so many in all, and so many for one address, so that no client takes those of all others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::problem::{Problem, ProblemType};

/// How many connections may be open at once.
#[derive(Clone, Debug)]
pub struct Connections {
    /// In all.
    pub all: usize,
    /// Of one address: of IPv6 one network of 64 bits, of which a client has all addresses.
    pub each: usize,
    /// Addresses of proxies, through which many clients come: only the limit for all holds for them.
    pub proxies: Vec<IpAddr>,
}

impl Default for Connections {
    fn default() -> Self {
        Self { all: 1024, each: 256, proxies: Vec::new() }
    }
}

/// The places, and who has them.
pub(crate) struct Places {
    limits: Connections,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A place, which is free again when it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    /// Whose it is, where that is counted.
    client: Option<IpAddr>,
}

impl Places {
    pub fn new(limits: Connections) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from there, or why there is none.
    pub fn take(self: &Arc<Self>, from: IpAddr) -> Result<Place, Problem> {
        let from = from.to_canonical();
        let Connections { all, each, proxies } = &self.limits;
        let is_proxy = proxies.iter().any(|proxy| proxy.to_canonical() == from);
        let client = (!is_proxy).then(|| client_of(from));
        let mut taken = self.taken();
        if taken.all >= *all {
            let detail =
                format!("{all} connections are open, which is the most: ask again after a second");
            return Err(Problem::new(ProblemType::Full, detail));
        }
        if let Some(client) = client {
            let own = taken.by_client.entry(client).or_default();
            if *own >= *each {
                let detail = format!(
                    "{own} connections of {from} are open, which is the most for one address: close some or use them \
                     again; a proxy's address is told to the server with `--proxy {from}`"
                );
                return Err(Problem::new(ProblemType::Crowded, detail));
            }
            *own += 1;
        }
        taken.all += 1;
        Ok(Place { places: Arc::clone(self), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        let Some(client) = self.client else { return };
        if let Some(own) = taken.by_client.get_mut(&client) {
            *own -= 1;
            if *own == 0 {
                taken.by_client.remove(&client);
            }
        }
    }
}

/// Whom an address stands for.
fn client_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(whole) => Ipv6Addr::from_bits(whole.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_has_its_share_and_a_proxy_all_of_them() {
        let limits = Connections { all: 6, each: 2, proxies: vec![at("10.0.0.9")] };
        let places = Places::new(limits);
        let take = |from: &str| places.take(at(from)).map_err(|problem| problem.kind);
        let first = take("192.0.2.1").expect("a place");
        // The same client by the other family's name of it.
        let second = take("::ffff:192.0.2.1").expect("a place");
        assert_eq!(take("192.0.2.1").err(), Some(ProblemType::Crowded));
        let _six = take("2001:db8::1").expect("a place");
        let _seven = take("2001:db8::ffff:1").expect("a place");
        assert_eq!(take("2001:db8::2").err(), Some(ProblemType::Crowded));
        drop(first);
        drop(second);
        let proxied: Vec<Place> = (0..4).map(|_| take("10.0.0.9").expect("a place")).collect();
        assert_eq!(take("192.0.2.1").err(), Some(ProblemType::Full));
        drop(proxied);
        assert!(take("192.0.2.1").is_ok());
        assert_eq!(places.taken().by_client.len(), 1, "nobody is remembered who has gone");
    }
}
