//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};

use crate::Error;

/// The first port that may be chosen.
pub(crate) const FIRST: u16 = 26_000;

/// The last one.
///
/// Below what systems give to outgoing connections (32768 and up on Linux): a client that knocks at the port of a killed part
/// could otherwise be given that very port, be connected to itself, and keep the part from coming back.
pub(crate) const LAST: u16 = 31_999;

/// `N` different ports that are free now. Somebody may take one before it is used; whoever finds it taken chooses again.
pub(crate) fn choose<const N: usize>() -> Result<[u16; N], Error> {
    const ATTEMPTS: usize = 2000;
    // Held until all are chosen, so that none is chosen twice.
    let mut held = Vec::with_capacity(N);
    for _ in 0..ATTEMPTS {
        if held.len() == N {
            break;
        }
        let port = fastrand::u16(FIRST..=LAST);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
    }
    let ports: Vec<u16> = held.iter().map(|(port, _)| *port).collect();
    ports.try_into().map_err(|_| Error::NoPort)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn ports_differ_and_are_free_and_below_those_of_outgoing_connections() {
        let ports: [u16; 8] = choose().unwrap();
        for (index, port) in ports.iter().enumerate() {
            assert!(!ports[..index].contains(port), "{port} was chosen twice");
            assert!((FIRST..=LAST).contains(port));
            // A child that another test starts meanwhile has a copy of the listener until it becomes its program.
            let begun = Instant::now();
            while let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)) {
                assert!(begun.elapsed() < Duration::from_secs(5), "{port}: {error}");
                std::thread::yield_now();
            }
        }
    }
}
